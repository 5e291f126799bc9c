"""What of a plan cannot be written to shadow tables, and how does a materialization say that it is a shadow?"""

from collections.abc import Mapping, Sequence

import dagster as dg

from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.step.metadata import SHADOW, SHADOW_OF

_NEVER = {
    "seed": "the engine loads seed files into their real tables only",
    "load": "the engine loads files into their real tables only",
    "snapshot": "the history of a snapshot has no shadow",
}
_TIME_INTERVAL = "the engine has no shadow of a model with time intervals"


def require_shadowable(runs: Sequence[PlannedRun]) -> None:
    """Refuses a plan of which the engine would write a part to the real tables, before anything of it runs.

    Args:
        runs: The planned engine runs of a step (contract, section 5.9).

    Raises:
        dagster.Failure: With every asset that has no shadow, and why.
    """
    reasons: dict[str, list[str]] = {}
    for run in runs:
        if run.request.options.shadow_suffix is None:
            continue
        for unit in run.units:
            if reason := _why_not(unit):
                names = reasons.setdefault(reason, [])
                name = unit.asset.asset_key.to_user_string()
                if name not in names:
                    names.append(name)
    if reasons:
        listed = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        raise dg.Failure(
            description=(
                f"This run would write to shadow tables, and not all of it can: {listed}. Nothing was run. "
                "Leave these assets out of the selection, or launch with `shadow: off` to write the real tables."
            ),
            allow_retries=False,
        )


def shadow_metadata(unit: Unit, suffix: str | None) -> Mapping[str, str]:
    """What a materialization says of the real table behind it; nothing when it is the real one.

    Args:
        unit: What was built.
        suffix: Of the run's shadow tables.
    """
    if suffix is None:
        return {}
    return {SHADOW: suffix, SHADOW_OF: unit.asset.target or "/".join(unit.asset.engine_key)}


def shadow_of(made: dg.AssetMaterialization) -> str | None:
    """The suffix of the shadow table that a materialization is of; `None` for the real one."""
    value = made.metadata.get(SHADOW)
    return str(value.value) if value is not None else None


def _why_not(unit: Unit) -> str | None:
    if unit.asset.kind == "model" and unit.asset.granularity is not None:
        return _TIME_INTERVAL
    return _NEVER.get(unit.asset.kind)
