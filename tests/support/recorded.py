"""The recorded projects, copied with their data, loaded as components and run in process."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_rocky import RockyComponent
from dagster_rocky.project.snapshot import ProjectSnapshot
from support import forking
from support.seeding import fill, opened

RECORDINGS = Path(__file__).parent.parent / "recordings"
PROJECTS = RECORDINGS / "projects"
ENGINE = forking.rocky_local().script


def copy_project(name: str, folder: Path) -> Path:
    """A recorded project with its data, in a folder of its own."""
    is_there = folder.exists()
    shutil.copytree(PROJECTS / name, folder, dirs_exist_ok=True)
    config = folder / "rocky.toml"
    database = re.search(r'path = "(.*?)"', config.read_text())
    for seed in (folder / "seed.sql", folder / "data" / "seed.sql"):
        if seed.exists() and database and not is_there:
            fill(folder / database.group(1), seed.read_text())
    return folder


def logging_engine(folder: Path) -> Path:
    """The embedded engine behind a script that notes every command line."""
    script = folder / "engine"
    script.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{folder / 'calls'}'\nexec '{ENGINE}' \"$@\"\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


@dataclass
class Ran:
    """What a run left behind."""

    success: bool
    materialized: list[tuple[str, str | None]] = field(default_factory=list)
    checks: dict[str, bool] = field(default_factory=dict)
    severities: dict[str, str] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    observed: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    metadata: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict)


def collect(result: dg.ExecuteInProcessResult) -> Ran:
    """The events of a run that users see."""
    ran = Ran(success=result.success)
    for event in result.all_events:
        kind = event.event_type_value
        if kind == "ASSET_MATERIALIZATION":
            done = event.step_materialization_data.materialization
            key = (done.asset_key.to_user_string(), done.partition)
            ran.materialized.append(key)
            ran.metadata[key] = {name: value.value for name, value in done.metadata.items()}
        elif kind == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            name = f"{check.asset_key.to_user_string()}:{check.check_name}"
            ran.checks[name] = check.passed
            ran.severities[name] = check.severity.value
            ran.facts[name] = {key: value.value for key, value in check.metadata.items()}
        elif kind == "ASSET_OBSERVATION":
            seen = event.event_specific_data.asset_observation
            ran.observed.append((seen.asset_key.to_user_string(), seen.description or ""))
        elif kind == "STEP_FAILURE":
            data = event.step_failure_data
            told = data.user_failure_data.description if data.user_failure_data else data.error.message
            ran.failures.append(told or "")
    ran.materialized.sort(key=str)
    return ran


class Loaded:
    """A component with its definitions, ready to run."""

    def __init__(self, component: RockyComponent, snapshot: ProjectSnapshot, folder: Path) -> None:
        self.component, self.snapshot, self.folder = component, snapshot, folder
        self.defs = component.build_defs_from_snapshot(snapshot)
        self.instance = dg.DagsterInstance.ephemeral()

    @property
    def graph(self) -> Any:
        return self.defs.resolve_asset_graph()

    def specs(self) -> dict[str, dg.AssetSpec]:
        found = {}
        for definition in self.defs.assets or []:
            if isinstance(definition, dg.AssetsDefinition):
                found |= {spec.key.to_user_string(): spec for spec in definition.specs}
        return found

    def edges(self) -> dict[str, list[str]]:
        return {
            name: sorted(dep.asset_key.to_user_string() for dep in spec.deps)
            for name, spec in self.specs().items()
        }

    def checks(self) -> set[str]:
        return {key.to_user_string() for key in self.graph.asset_check_keys}

    def run(
        self,
        selection: str | dg.AssetSelection = "*",
        *,
        partition: str | None = None,
        partition_range: tuple[str, str] | None = None,
        launch: Mapping[str, Any] | None = None,
    ) -> Ran:
        chosen = dg.AssetSelection.from_string(selection) if isinstance(selection, str) else selection
        job = dg.define_asset_job("tested", chosen)
        merged = dg.Definitions.merge(self.defs, dg.Definitions(jobs=[job]))
        tags = {}
        if partition_range:
            tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"] = (
                partition_range
            )
        job_def = merged.resolve_job_def("tested")
        config = {"ops": {node.name: {"config": dict(launch)} for node in job_def.nodes}} if launch else None
        result = job_def.execute_in_process(
            instance=self.instance,
            partition_key=partition,
            tags=tags,
            run_config=config,
            raise_on_error=False,
        )
        return collect(result)

    def run_checks(self, *names: str) -> Ran:
        keys = [dg.AssetCheckKey.from_user_string(name) for name in names]
        return self.run(dg.AssetSelection.checks(*keys))

    def calls(self) -> list[str]:
        """The engine runs so far, without what is the same in all of them."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        runs = [line[line.index("run") :] for line in lines if re.search(r"\brun\b", line)]
        return [re.sub(r"\s+(-o|--output) json|\s+-c \S+", "", line) for line in runs]

    def sql(self, statement: str) -> Sequence[tuple[Any, ...]]:
        database = re.search(r'path = "(.*?)"', (self.folder / "rocky.toml").read_text())
        assert database
        with opened(self.folder / database.group(1), read_only=True) as connection:
            return connection.execute(statement).fetchall()
