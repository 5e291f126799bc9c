"""The whole example, once: load the data, build every asset with `dg launch`, and show what came out.

    python demo.py

Each component of this project runs the engine in another mode; the table at the end says which. Everything in
the table is read afterwards: events from Dagster's event log, rows from the DuckDB file.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from seed import DATABASE, seed

PROJECT = Path(__file__).resolve().parent
DAGSTER_HOME = PROJECT / ".dagster_home"
FULL_LOG = DAGSTER_HOME / "demo.log"
DAGSTER_YAML = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"


@dataclass(frozen=True)
class Launch:
    """One `dg launch`: the folders of the components in `defs/`, and what to launch of them."""

    components: tuple[str, ...]
    arguments: tuple[str, ...]


LAUNCHES = (
    Launch(("landing", "marts"), ("--assets", "group:landing or group:marts")),
    Launch(("daily",), ("--assets", "group:daily", "--partition-range", "2013-07-01...2013-07-31")),
)


@dataclass
class Outcome:
    """What one asset got in the launches: the engine's seconds, and checks by how they ended."""

    mode: str
    table: str
    partitions: int = 0
    seconds: float = 0
    passed: int = 0
    failed: list[str] = field(default_factory=list)


def prepare_home() -> None:
    """Make a Dagster home in this folder, so that `make ui` finds what the demo did."""
    DAGSTER_HOME.mkdir(exist_ok=True)
    (DAGSTER_HOME / "dagster.yaml").write_text(DAGSTER_YAML)
    os.environ["DAGSTER_HOME"] = str(DAGSTER_HOME)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def mode_of(component: str) -> str:
    """The `mode` in the component's YAML."""
    text = (PROJECT / "nyc_flights" / "defs" / component / "defs.yaml").read_text()
    return str(yaml.safe_load(text)["attributes"]["mode"])


def launch(console: Console, what: Launch) -> None:
    """Run `dg launch`, show the engine's lines as they come, and keep everything in the full log.

    Raises:
        SystemExit: When the run failed; the end of its log is shown.
    """
    command = ["dg", "launch", *what.arguments]
    modes = " and ".join(map(mode_of, what.components))
    console.print(f"[bold]$ {escape(shlex.join(command))}[/]   [dim]mode: {modes}[/]")
    lines: list[str] = []
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    assert process.stdout is not None
    with FULL_LOG.open("a") as log:
        for line in process.stdout:
            log.write(line)
            lines.append(line)
            _, found, message = line.rstrip().partition("rocky: ")
            if found:
                console.print(f"  [dim]{escape(message)}[/]", soft_wrap=True, highlight=False)
    if process.wait() != 0:
        console.print("".join(lines[-40:]), markup=False, highlight=False)
        sys.exit(f"demo: the launch failed (exit code {process.returncode}). The whole log: {FULL_LOG}")


def events_since(instance: dg.DagsterInstance, started: datetime) -> Iterator[dg.DagsterEvent]:
    """Every event of the runs that were created since then, oldest run first."""
    records = instance.get_run_records(filters=dg.RunsFilter(created_after=started), ascending=True)
    for record in records:
        for entry in instance.all_logs(record.dagster_run.run_id):
            if entry.dagster_event is not None:
                yield entry.dagster_event


def collect(
    instance: dg.DagsterInstance, started: datetime, components: tuple[str, ...]
) -> dict[str, Outcome]:
    """What the runs since `started` did, by asset key; a step's name tells its component."""
    modes = {f"rocky_{component}_": mode_of(component) for component in components}
    outcomes: dict[str, Outcome] = {}
    checks: list[tuple[str, dg.AssetCheckEvaluation]] = []
    for event in events_since(instance, started):
        if event.event_type_value == "ASSET_MATERIALIZATION":
            materialization = event.step_materialization_data.materialization
            key = materialization.asset_key.to_user_string()
            metadata = {name: value.value for name, value in materialization.metadata.items()}
            mode = next(mode for prefix, mode in modes.items() if (event.step_key or "").startswith(prefix))
            outcome = outcomes.setdefault(key, Outcome(mode, str(metadata["dagster/table_name"])))
            outcome.partitions += materialization.partition is not None
            outcome.seconds += float(metadata["rocky/duration_seconds"])
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            evaluation = event.asset_check_evaluation_data
            checks.append((evaluation.asset_key.to_user_string(), evaluation))
    for key, evaluation in checks:
        if evaluation.passed:
            outcomes[key].passed += 1
        else:
            outcomes[key].failed.append(f"{evaluation.check_name} ({evaluation.severity.value.lower()})")
    return outcomes


def summary(outcomes: dict[str, Outcome]) -> Table:
    """The table of outcomes; the rows are counted in the DuckDB file."""
    table = Table(title="What was built", title_justify="left")
    for heading in ("asset", "mode"):
        table.add_column(heading, overflow="fold")
    for heading in ("rows", "partitions", "duration", "passed"):
        table.add_column(heading, justify="right")
    table.add_column("failed checks", overflow="fold")
    with duckdb.connect(str(DATABASE), read_only=True) as connection:
        for key, outcome in outcomes.items():
            (rows,) = connection.execute(f"SELECT COUNT(*) FROM {outcome.table}").fetchone() or (0,)
            table.add_row(
                key,
                outcome.mode,
                f"{rows:,}",
                str(outcome.partitions or ""),
                f"{outcome.seconds:.2f} s",
                str(outcome.passed),
                f"[yellow]{', '.join(outcome.failed)}[/]" if outcome.failed else "0",
            )
    return table


def main() -> None:
    """Seed, launch the three components, and print the table."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    begun = time.monotonic()
    prepare_home()
    if shutil.which("dg") is None:
        sys.exit(f"demo: no `dg` beside {sys.executable}. Run `make demo` in the repository; it installs it.")
    console.print("[bold]==> the data: flights from New York, 2013[/]")
    seed()
    outcomes: dict[str, Outcome] = {}
    console.print("[bold]==> the runs[/]")
    for what in LAUNCHES:
        started = datetime.now(UTC)
        launch(console, what)
        with dg.DagsterInstance.get() as instance:
            outcomes |= collect(instance, started, what.components)
    console.print()
    console.print(summary(outcomes))
    console.print(f"Done in {time.monotonic() - begun:.0f} s. Look at it in a browser: [bold]make ui[/]")


if __name__ == "__main__":
    main()
