"""A step around a stand-in engine: small scripts that behave in one way, in each of the three modes."""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.planning.selection import StepPlan
from dagster_rocky.resource import RockyResource
from dagster_rocky.step.execution import execute_plan
from dagster_rocky.step.recording import recorded
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset

MODES = ("buffered", "streaming", "pipes")

PREAMBLE = """
import os, sys, time
from binascii import a2b_base64
if "--version" in sys.argv:
    print("rocky " + os.environ.get("STAND_IN_VERSION", "1.71.0")); sys.exit(0)
# A thousand stand-ins are started, and the modules that these import take longer than the bare interpreter.
class Later:
    def __init__(self, name): self.name = name
    def __getattr__(self, attribute): return getattr(__import__(self.name), attribute)
base64, json, signal = map(Later, ("base64", "json", "signal"))
from _json import encode_basestring_ascii, make_encoder
chunks = make_encoder(None, None, encode_basestring_ascii, None, ": ", ", ", False, False, True)
def dumps(document):
    return "".join(chunks(document, 0))
def log(message, level="INFO", **fields):
    record = {"timestamp": "2026-01-01T00:00:00Z", "level": level, "fields": {"message": message, **fields},
              "spans": [{"name": "run", "run_id": "run-1"}]}
    sys.stderr.write(dumps(record) + "\\n"); sys.stderr.flush()
def table(name, **more):
    return {"asset_key": ["duckdb", "x", name], "rows_copied": None, "duration_ms": 5,
            "metadata": {"strategy": "full_refresh", "watermark": "2026-01-01T00:00:00Z",
                         "target_table_full_name": "wh.kept__x." + name}, "cost_usd": 0.0, **more}
def result(built=(), status="Success", **more):
    return {"version": "1.71.0", "command": "run", "status": status, "pipeline_type": "replication",
            "filter": "", "duration_ms": 9, "tables_copied": len(built), "tables_failed": 0,
            "materializations": [table(b) if isinstance(b, str) else b for b in built],
            "check_results": [], "interrupted": False, **more}
def say(document):
    print("{", dumps(document)[1:-1], "}", sep="\\n", flush=True)
def messages_path():
    raw = os.environ.get("DAGSTER_PIPES_MESSAGES")
    return raw and eval(a2b_base64(raw), {"true": True, "false": False, "null": None})["path"]
def pipes(method, params):
    path = messages_path()
    if path:
        with open(path, "a") as f:
            f.write(dumps({"__dagster_pipes_version": "0.1", "method": method, "params": params}) + "\\n")
def hook(name, duration_ms=5):
    path = os.environ.get("DAGSTER_ROCKY_HOOK_FILE")
    if path:
        with open(path, "a") as f:
            f.write(dumps({"event": "on_after_materialize", "run_id": "run-1", "pipeline": "p",
                                "table": "wh.kept__x." + name, "duration_ms": duration_ms}) + "\\n")
"""


def write_engine(
    folder: Path, body: str, *, project: str = "project", script_name: str = "stand-in", **settings: Any
) -> RockyResource:
    """An engine of the body of a Python script, on an empty project."""
    config = folder / project / "rocky.toml"
    config.parent.mkdir(exist_ok=True)
    config.touch()
    script = folder / script_name
    script.write_text(f"#!{sys.executable} -SE\n{PREAMBLE}\n{textwrap.dedent(body)}")
    script.chmod(0o755)
    options: dict[str, Any] = {"timeout_seconds": 20, "termination_grace_seconds": 1, **settings}
    return RockyResource(binary_path=str(script), config_path=str(config), **options)


def table_asset(name: str, checks: Sequence[str] = ()) -> EngineAsset:
    """A replicated table as the stand-in engines report it."""
    key = ("duckdb", "x", name)
    return EngineAsset(
        engine_key=key,
        asset_key=dg.AssetKey(key),
        kind="table",
        name=name,
        target=f"wh.kept__x.{name}",
        checks=tuple(CheckDeclaration(engine_name=c, name=c.replace(":", "_")) for c in checks),
    )


@dataclass
class StepRun:
    """What a step left in the event log."""

    result: dg.ExecuteInProcessResult
    instance: dg.DagsterInstance

    @property
    def success(self) -> bool:
        return self.result.success

    @property
    def materialized(self) -> dict[str, dict[str, object]]:
        """Metadata by table name."""
        return {
            event.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
            for event in self.result.all_events
            if event.is_step_materialization and event.asset_key
        }

    @property
    def observed(self) -> list[tuple[str, dict[str, object]]]:
        return [
            (
                e.asset_key.path[-1],
                {k: v.value for k, v in e.asset_observation_data.asset_observation.metadata.items()},
            )
            for e in self.result.all_events
            if e.event_type_value == "ASSET_OBSERVATION" and e.asset_key
        ]

    @property
    def checks(self) -> dict[tuple[str, str], tuple[bool, str]]:
        return {
            (e.asset_key.path[-1], e.check_name): (e.passed, e.severity.value)
            for e in self.result.get_asset_check_evaluations()
        }

    @property
    def logs(self) -> list[str]:
        """User messages that are forwarded engine output or this package's own."""
        return [
            r.user_message
            for r in self.instance.all_logs(self.result.run_id)
            if not r.is_dagster_event and r.user_message.startswith("rocky: ")
        ]

    @property
    def failure(self) -> dg.Failure | None:
        """The step's failure as its description and metadata."""
        for event in self.result.all_events:
            data = event.event_specific_data
            if event.is_step_failure and data.user_failure_data:
                return dg.Failure(data.user_failure_data.description, dict(data.user_failure_data.metadata))
        return None


def run_step(
    resource: RockyResource,
    mode: str,
    assets: Sequence[EngineAsset],
    *,
    plan: Sequence[PlannedRun] | None = None,
    options: RunOptions | None = None,
    instance: dg.DagsterInstance | None = None,
    selection: Sequence[str] | None = None,
    retry: dg.RetryPolicy | None = None,
    deps: Mapping[dg.AssetKey, Sequence[dg.AssetKey]] | None = None,
    universe: Sequence[EngineAsset] = (),
    **more: Any,
) -> StepRun:
    """Executes a plan in a real step; by default one engine run for all of the assets."""
    request = RunRequest(options=options or resource.options())
    runs = plan or [PlannedRun(request=request, units=tuple(Unit(asset) for asset in assets))]
    if options is not None:
        runs = [replace(run, request=replace(run.request, options=options)) for run in runs]

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(a.asset_key, skippable=True, deps=(deps or {}).get(a.asset_key, [])) for a in assets
        ],
        check_specs=[dg.AssetCheckSpec(c.name, asset=a.asset_key) for a in assets for c in a.checks],
        name="step",
        can_subset=True,
        retry_policy=retry,
    )
    def step(context: dg.AssetExecutionContext):
        told = execute_plan(
            context, resource, StepPlan(runs=tuple(runs), universe=universe), mode=mode, **more
        )
        yield from recorded(context.op_execution_context, told)

    instance = instance or dg.DagsterInstance.ephemeral()
    result = dg.materialize([step], instance=instance, raise_on_error=False, selection=selection)
    return StepRun(result, instance)
