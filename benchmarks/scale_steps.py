"""What refreshing the state and running a step cost; each function gives rows of the table that `scale.py` prints."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import dagster as dg
import duckdb
from report import Row, say, tell

from support.stand_in import table_asset, write_engine

BIN = Path(sys.executable).parent
CONFIG = """
[adapter]
type = "duckdb"
path = "bench.duckdb"

[pipeline.landing]
type = "replication"
strategy = "full_refresh"

[pipeline.landing.source.schema_pattern]
prefix = "raw__"
separator = "__"
components = ["tenant", "region", "system"]

[pipeline.landing.source.discovery]
adapter = "default"

[pipeline.landing.target]
catalog_template = "bench"
schema_template = "lake__{tenant}__{region}__{system}"

[pipeline.landing.target.governance]
auto_create_schemas = true

[pipeline.marts]
type = "transformation"
models = "models/**"
depends_on = ["landing"]

[pipeline.marts.target]
adapter = "default"
"""


def children() -> float:
    """Processor seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_project(folder: Path, sources: int, models: int) -> None:
    """A project that the engine can be asked for: one table in each source, models that read the first."""
    (folder / "rocky.toml").write_text(CONFIG)
    (folder / "models").mkdir()
    for number in range(models):
        (folder / f"models/model_{number}.sql").write_text("SELECT id FROM bench.lake__t__eu__s0.orders")
        (folder / f"models/model_{number}.toml").write_text(
            f'[target]\ncatalog = "bench"\nschema = "marts"\ntable = "model_{number}"\n'
        )
    with duckdb.connect(str(folder / "bench.duckdb")) as connection:
        for number in range(sources):
            connection.execute(f"CREATE SCHEMA raw__t__eu__s{number}")
            connection.execute(f"CREATE TABLE raw__t__eu__s{number}.orders AS SELECT 1 AS id")


def refreshes() -> Iterator[Row]:
    """The engine's processes of a refresh, of a small project and of one that is ten times as large."""
    from dagster_rocky import RockyResource
    from dagster_rocky.project.refresh import refresh

    starts = {}
    for size in (5, 50):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_project(folder, size, size)
            binary = folder / "engine"
            binary.write_text(f'#!/bin/sh\necho "$*" >> {folder}/calls\nexec {BIN}/rocky-local "$@"\n')
            binary.chmod(0o755)
            found = refresh(
                RockyResource(binary_path=str(binary), config_path=str(folder / "rocky.toml")), None
            )
            assert len(found.models) == size, found.problems
            starts[size] = len((folder / "calls").read_text().splitlines())
    small, large = starts.values()
    yield Row(
        "engine processes to refresh the state, 50 sources and 50 models",
        f"{small} for a tenth of them",
        str(large),
        "the same number",
        small == large,
    )


def events() -> Iterator[Row]:
    """Turning a result into events, against what Dagster takes to store them."""
    tables, checks = 10_000, ("row_count", "column_match")
    with tempfile.TemporaryDirectory() as temporary:
        made = made_events(Path(temporary), tables, checks)
        stored = stored_events(Path(temporary), 100, checks)
    count = tables * (1 + len(checks))
    yield Row(
        "10,000 materializations and 20,000 checks into events",
        f"{1_000 * stored:.1f} ms for Dagster to store one, {stored * count:.0f} s for {count:,}",
        f"{made:.2f} s, {made / (stored * count):.1%}",
        "5 %",
        made <= 0.05 * stored * count,
    )


def _engine(folder: Path, tables: int, checks: tuple[str, ...]) -> Any:
    body = f"""
    names = [f"t{{number}}" for number in range({tables})]
    checks = [{{"name": name, "passed": True, "severity": "error"}} for name in {list(checks)!r}]
    found = [{{"asset_key": ["duckdb", "x", name], "checks": checks}} for name in names]
    say(result(names, check_results=found))
    """
    return write_engine(folder, body, timeout_seconds=600)


class Selecting:
    """A step's context that selects checks: Dagster needs minutes to make an asset with thirty thousand outputs."""

    def __init__(self, context: dg.OpExecutionContext, checks: set[dg.AssetCheckKey]) -> None:
        self._context, self.selected_asset_check_keys = context, checks
        self.op_execution_context = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def made_events(folder: Path, tables: int, checks: tuple[str, ...]) -> float:
    """Processor seconds from the engine's start to the last event, none of which is given to Dagster."""
    from dagster_rocky.engine.request import RunRequest
    from dagster_rocky.planning.plan import PlannedRun, Unit
    from dagster_rocky.planning.selection import StepPlan
    from dagster_rocky.step.execution import execute_plan

    engine = _engine(folder, tables, checks)
    units = tuple(Unit(table_asset(f"t{number}", checks)) for number in range(tables))
    run = PlannedRun(request=RunRequest(options=engine.options()), units=units)
    keys = {
        dg.AssetCheckKey(unit.asset.asset_key, check.name) for unit in units for check in unit.asset.checks
    }
    spent = []

    @dg.op
    def drain(context: dg.OpExecutionContext) -> None:
        selecting: Any = Selecting(context, keys)
        began = time.process_time()
        told = sum(1 for _ in execute_plan(selecting, engine, StepPlan(runs=(run,))))
        spent.append(time.process_time() - began)
        assert told >= tables * (1 + len(checks)), told

    @dg.job
    def measured() -> None:
        drain()

    assert measured.execute_in_process().success
    return spent[0]


def stored_events(folder: Path, tables: int, checks: tuple[str, ...]) -> float:
    """Processor seconds that Dagster takes to store one such event in SQLite."""
    from dagster_rocky.engine.request import RunRequest
    from dagster_rocky.planning.plan import PlannedRun, Unit
    from dagster_rocky.planning.selection import StepPlan
    from dagster_rocky.step.execution import execute_plan
    from dagster_rocky.step.recording import recorded

    engine = _engine(folder, tables, checks)
    assets = [table_asset(f"t{number}", checks) for number in range(tables)]
    run = PlannedRun(
        request=RunRequest(options=engine.options()), units=tuple(Unit(asset) for asset in assets)
    )
    spent = []

    @dg.multi_asset(
        specs=[dg.AssetSpec(asset.asset_key, skippable=True) for asset in assets],
        check_specs=[dg.AssetCheckSpec(check, asset=asset.asset_key) for asset in assets for check in checks],
        can_subset=True,
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[Any]:
        told = recorded(context.op_execution_context, execute_plan(context, engine, StepPlan(runs=(run,))))
        for event in told:
            began = time.process_time()
            yield event
            spent.append(time.process_time() - began)

    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert dg.materialize([step], instance=instance).success
    return sum(spent) / len(spent)


BARE = """
import subprocess
from pathlib import Path
import dagster as dg

@dg.asset(key=["duckdb", "t", "eu", "s0", "orders"])
def orders() -> dg.MaterializeResult:
    subprocess.run(["rocky-local", "-o", "json", "run", "--pipeline", "landing", "--filter", "id=raw__t__eu__s0"],
                   cwd=Path(__file__).parents[3], check=True, capture_output=True)
    return dg.MaterializeResult()
"""
COMPONENT = """
type: dagster_rocky.RockyComponent
attributes:
  config_path: "{{ context.project_root }}/rocky.toml"
  binary_path: rocky-local
  pipelines: [landing]
"""
PROJECT = """
[project]
name = "bench"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "bench"
"""
DEFINITIONS = """
from pathlib import Path
import dagster as dg

@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


def launches(rounds: int) -> Iterator[Row]:
    """`dg launch` of one small table, with the component and with bare Dagster that starts the same engine."""
    took: dict[str, list[float]] = {"bare": [], "component": []}
    used: dict[str, list[float]] = {"bare": [], "component": []}
    with tempfile.TemporaryDirectory() as temporary:
        for side in took:
            _dg_project(Path(temporary) / side, side)
        with ThreadPoolExecutor() as both:  # compiles, and makes the state
            list(both.map(lambda side: _launch(Path(temporary) / side), took))
        for number in range(rounds):
            say(f"`dg launch`, pair {number + 1} of {rounds}")
            for side, seconds in took.items():
                began = children()
                seconds.append(_launch(Path(temporary) / side))
                used[side].append(children() - began)
    bare, ours = (statistics.median(took[side]) for side in ("bare", "component"))
    more = statistics.median(b - a for a, b in zip(took["bare"], took["component"], strict=True))
    yield Row(
        "run of one small table in `dg launch`",
        f"{bare:.2f} s",
        f"{ours:.2f} s, {more:+.2f} s",
        "+0.4 s",
        more <= 0.4,
    )
    bare, ours = (statistics.median(used[side]) for side in ("bare", "component"))
    yield Row("the whole command, processor time", f"{bare:.1f} s", f"{ours:.1f} s")


def _dg_project(folder: Path, side: str) -> None:
    (folder / "bench" / "defs" / "landing").mkdir(parents=True)
    (folder / "home").mkdir()
    (folder / "home" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    write_project(folder, 1, 0)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "bench" / "__init__.py").touch()
    (folder / "bench" / "definitions.py").write_text(DEFINITIONS)
    if side == "bare":
        (folder / "bench" / "defs" / "landing" / "orders.py").write_text(BARE)
    else:
        (folder / "bench" / "defs" / "landing" / "defs.yaml").write_text(COMPONENT)


def _launch(folder: Path) -> float:
    """The seconds between start and end of the run."""
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(folder / "home"),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
    }
    subprocess.run(
        [BIN / "dg", "launch", "--assets", "key:duckdb/t/eu/s0/orders"],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        (record,) = instance.get_run_records(limit=1)
        assert record.dagster_run.is_success
        assert record.start_time
        assert record.end_time
        return record.end_time - record.start_time


ALL: dict[str, Callable[[], Iterator[Row]]] = {
    "refresh": refreshes,
    "events": events,
    "launch": lambda: launches(1),
}

if __name__ == "__main__":
    sys.exit(max(tell("scale", ALL[chosen]()) for chosen in sys.argv[1:] or ALL))
