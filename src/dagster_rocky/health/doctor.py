"""What does the engine's `doctor` find, and what of it stops a step?"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from dagster_rocky.graph.naming import op_name
from dagster_rocky.resource import RockyResource
from dagster_rocky.yaml.health import HealthOptions

if TYPE_CHECKING:
    from dagster_rocky.results import DoctorResult

_RANKS = {"healthy": 0, "warning": 1, "critical": 2}
_VERSIONS: dict[tuple[str, str], str | None] = {}
"""By binary and range: why it does not fit, asked once in a process."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a probe found.

    Attributes:
        overall: `healthy`, `warning` or `critical`.
        findings: Name, status and message of each check-up that counts.
        suggestions: What the engine suggests.
        version: The engine's, when it could be asked.
    """

    overall: str
    findings: tuple[tuple[str, str, str], ...] = ()
    suggestions: tuple[str, ...] = ()
    version: str | None = None

    @property
    def is_critical(self) -> bool:
        """Whether nothing should be run."""
        return self.overall == "critical"

    def in_words(self) -> str:
        """One line: what is not healthy."""
        found = [f"{name}: {message}" for name, status, message in self.findings if status != "healthy"]
        return f"{self.overall}; {'; '.join(found) or 'nothing found'}"

    def metadata(self) -> dict[str, Any]:
        """The findings as a table."""
        records = [
            dg.TableRecord({"check": name, "status": status, "message": message})
            for name, status, message in self.findings
        ]
        return {"rocky/doctor": dg.MetadataValue.table(records)} if records else {}


def probe(resource: RockyResource, checks: Collection[str] = ()) -> Health:
    """Asks the engine how it is; never raises, so that a deployment can ask it.

    Args:
        resource: The engine and its project.
        checks: Names of the check-ups that count (contract, section 8); all of them when empty.

    Returns:
        What was found; an engine that cannot be asked is critical.

    Example:
        ```python
        from dagster_rocky import RockyResource

        probe(RockyResource(binary_path="rocky-local", config_path="nowhere/rocky.toml")).is_critical  # True
        ```
    """
    try:
        found = resource.doctor()
        version = resource.version()
    except dg.Failure as failure:
        said = (failure.description or "it could not be asked").split("\n", 1)[0]
        return Health(overall="critical", findings=(("doctor", "critical", said),))
    return _counted(found, checks, version)


def require_healthy(
    context: dg.AssetExecutionContext, resource: RockyResource, options: HealthOptions
) -> None:
    """Stops a step before anything runs, where the YAML asks for it; asks the engine once for each run and process.

    Args:
        context: The step's.
        resource: The engine and its project.
        options: What the YAML says.

    Raises:
        dagster.Failure: When the engine's version is out of range, or a check-up that counts is critical; its metadata
            holds the findings.
    """
    if options.engine_version:
        require_in_range(resource, options.engine_version)
    if options.doctor != "before_run":
        return
    health = probe(resource, options.checks)
    if health.is_critical:
        raise dg.Failure(
            description=(
                f"The engine's doctor says {health.in_words()}. Nothing was run. "
                f"{' '.join(health.suggestions) or 'Correct what it found, or name in health.checks what counts.'}"
            ),
            metadata=health.metadata(),
        )
    if health.overall != "healthy":
        context.log.warning(f"rocky: doctor: {health.in_words()}")


def require_in_range(resource: RockyResource, wanted: str) -> None:
    """Refuses an engine whose version is out of a range; the answer is kept for the process.

    Args:
        resource: The engine.
        wanted: For example `>=1.71,<2`.

    Raises:
        dagster.Failure: With both versions, and what to do.
    """
    asked = (resource.binary_path, wanted)
    if asked not in _VERSIONS:
        _VERSIONS[asked] = _misfit(resource.version(), wanted)
    if (misfit := _VERSIONS[asked]) is not None:
        raise dg.Failure(
            description=(
                f"The engine {resource.binary_path} is {misfit}, and health.engine_version asks for {wanted}: install "
                "one that fits, or change the range."
            ),
            allow_retries=False,
        )


def _misfit(version: str, wanted: str) -> str | None:
    try:
        fits = SpecifierSet(wanted).contains(Version(version), prereleases=True)
    except InvalidVersion:
        fits = False
    return None if fits else version


def _counted(found: "DoctorResult", names: Collection[str], version: str) -> Health:
    """The findings that count; the worst of them is the overall status, where only some count."""
    counted = [check for check in found.checks if not names or check.name in names]
    worst = max((_RANKS.get(check.status, 1) for check in counted), default=0)
    overall = next(word for word, rank in _RANKS.items() if rank == worst) if names else found.overall
    findings = tuple(dict.fromkeys((check.name, check.status, check.message) for check in counted))
    return Health(overall=overall, findings=findings, suggestions=tuple(found.suggestions), version=version)


class Monitored(Protocol):
    """What is asked of a component."""

    health: HealthOptions

    @property
    def resource(self) -> RockyResource:
        """The engine and its project; made when it is asked for."""

    @property
    def label(self) -> str:
        """What is unique to the component in names."""


def health_sensors(component: Monitored) -> list[dg.SensorDefinition]:
    """The sensor of the health of a component's engine, where the YAML asks for one."""
    if component.health.doctor != "sensor":
        return []
    name = op_name("rocky", component.label, "health")
    return [build_health_sensor(component.resource, component.health, name=name)]


def build_health_sensor(resource: RockyResource, options: HealthOptions, *, name: str) -> dg.SensorDefinition:
    """Makes a sensor whose tick fails while the engine is not fit to run, so that alerts on ticks see it.

    Args:
        resource: The engine and its project.
        options: Which check-ups count, and how often it asks.
        name: Of the sensor.
    """

    @dg.sensor(
        name=name,
        minimum_interval_seconds=options.every_seconds,
        description="Asks the engine's doctor; fails while something is critical.",
    )
    def health_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        health = probe(resource, options.checks)
        if health.is_critical:
            raise dg.Failure(
                description=f"The engine's doctor says {health.in_words()}", metadata=health.metadata()
            )
        return dg.SkipReason(health.in_words())

    return health_sensor
