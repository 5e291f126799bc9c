"""Whatever the engine answers: nothing is lost, nothing failed is green, nothing unbuilt is materialized."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_rocky.engine.request import RunRequest
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.planning.selection import StepPlan
from dagster_rocky.resource import RockyResource
from dagster_rocky.step import conclusion
from dagster_rocky.step.execution import execute_plan
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset
from support.ends import ended_with
from support.engine_results import engine_answers
from support.engine_truth import Ending, EngineAnswer, Fate
from support.examples import examples
from support.scripted_engine import ScriptedEngine
from support.stand_in import MODES

DAYS = ("2026-05-01", "2026-05-02", "2026-05-03")
GOOD = {Fate.BUILT, Fate.SKIPPED, Fate.SWITCHED_OFF}
"""Fates with which a step may be green, whatever Dagster knew before."""


def asset(kind: str, name: str, **more: object) -> EngineAsset:
    key = ("duckdb", "x", name) if kind == "table" else ("wh", "marts", name)
    names = [("row_count", 0), ("expression:-", 0), ("expression:-", 1)]
    checks = tuple(
        CheckDeclaration(engine_name=n, name=f"c{i}", occurrence=o) for i, (n, o) in enumerate(names)
    )
    target = f"wh.kept__x.{name}" if kind == "table" else ".".join(key)
    return EngineAsset(
        engine_key=key, asset_key=dg.AssetKey(key), kind=kind, name=name, target=target, checks=checks, **more
    )


EXTRA = asset("table", "extra")
TABLES = [Unit(asset("table", name)) for name in "abc"]
MODELS = [Unit(asset("model", name)) for name in "mno"]
DAILY = [Unit(asset("model", "daily", granularity="day"), day, day) for day in DAYS]
runs = st.sampled_from([TABLES, MODELS, DAILY])


@pytest.fixture(scope="module", autouse=True)
def no_pauses() -> Iterator[None]:
    """A warehouse that names no pause is asked again at once; nobody has to wait for five minutes, five times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conclusion, "_QUOTA_SECONDS", 0.01)
        yield


def ended(units: list[Unit], answer: EngineAnswer, mode: str) -> dg.ExecuteInProcessResult:
    """A step that asks for the units and gets the answer."""
    with tempfile.TemporaryDirectory() as folder:
        engine = ScriptedEngine(Path(folder), [answer])
        (Path(folder) / "rocky.toml").touch()
        resource = RockyResource(
            binary_path=str(engine.binary),
            config_path=str(Path(folder) / "rocky.toml"),
            timeout_seconds=20,
            termination_grace_seconds=1,
        )
        run = PlannedRun(request=RunRequest(options=resource.options()), units=tuple(units), extras=(EXTRA,))
        partitions = dg.DailyPartitionsDefinition(DAYS[0]) if units[0].partition else None

        @dg.multi_asset(
            specs=[dg.AssetSpec(a.asset_key, skippable=True, partitions_def=partitions) for a in run.assets],
            check_specs=[dg.AssetCheckSpec(c.name, asset=a.asset_key) for a in run.assets for c in a.checks],
            name="step",
            can_subset=True,
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        )
        def step(context: dg.AssetExecutionContext):
            yield from execute_plan(context, resource, StepPlan(runs=(run,)), mode=mode)

        tags = {}
        if partitions:
            tags = {
                "dagster/asset_partition_range_start": DAYS[0],
                "dagster/asset_partition_range_end": DAYS[-1],
            }
        job = dg.define_asset_job("tested", "*")
        defs = dg.Definitions(assets=[step], jobs=[job])
        return defs.resolve_job_def("tested").execute_in_process(tags=tags, raise_on_error=False)


def materialized(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], str]:
    """Outcomes of materializations by name and partition; each is told once."""
    found: dict[tuple[str, str | None], str] = {}
    for event in result.all_events:
        if event.is_step_materialization and event.asset_key:
            key = (event.asset_key.path[-1], event.partition)
            assert key not in found, f"{key} is told twice"
            found[key] = str(event.materialization.metadata["rocky/outcome"].value)
            assert event.materialization.tags is None or "dagster/code_version" in event.materialization.tags
    return found


def told(result: dg.ExecuteInProcessResult) -> str:
    """Everything that a person can read of a run."""
    texts = []
    for event in result.all_events:
        data = event.event_specific_data
        texts.append(str(data))
    return "\n".join(texts)


@pytest.mark.parametrize("mode", MODES)
@settings(
    max_examples=examples(12),
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(data=st.data())
def test_a_step_tells_the_truth_of_any_answer(data, mode):
    units = data.draw(runs)
    answer = data.draw(engine_answers(units, extras=[EXTRA]))
    result = ended(units, answer, mode)
    fates = {(key[-1], partition): fate for (key, partition), fate in answer.fates.items()}
    live = {found.name for found in answer.live}

    outcomes = materialized(result)
    built = {key for key, outcome in outcomes.items() if outcome == "materialized"}
    allowed = {key for key, fate in fates.items() if fate in (Fate.BUILT, Fate.CONTRADICTED)}
    allowed |= {key for key in fates if key[0] in live}
    allowed |= {(key[-1], partition) for key, partition in answer.also_built}
    assert built <= allowed, "something is materialized that was not built"
    if answer.document is not None:
        assert {key for key, fate in fates.items() if fate is Fate.BUILT} <= built, "something built is lost"
    assert {key for key, outcome in outcomes.items() if outcome == "unchanged"} <= {
        key for key, fate in fates.items() if fate in (Fate.SKIPPED, Fate.PRUNED, Fate.SAME_REQUEST)
    }

    if result.success:
        bad = {key: fate for key, fate in fates.items() if fate not in GOOD | {Fate.MISSING}}
        if answer.ending in (Ending.NO_JSON, Ending.NOT_JSON, Ending.CUT_OFF):
            pytest.fail("an engine without a result is green")
        assert not bad, "something failed is green"
        assert answer.exit_code == 0 or answer.other_errors, "an exit code that nothing explains is green"
        assert answer.ending is not Ending.BUDGET
    _checks_are_true(result, units, answer)


def _checks_are_true(result: dg.ExecuteInProcessResult, units: list[Unit], answer: EngineAnswer) -> None:
    shown = {(e.asset_key.path[-1], e.check_name): e.passed for e in result.get_asset_check_evaluations()}
    observed = str(
        [
            e.asset_observation_data.asset_observation.description
            for e in result.all_events
            if e.event_type_value == "ASSET_OBSERVATION"
        ]
    )
    for found in {unit.asset.engine_key: unit.asset for unit in units}.values():
        declared: dict[str, list[CheckDeclaration]] = defaultdict(list)
        for check in found.checks:
            declared[check.engine_name].append(check)
        for (key, name), verdicts in answer.verdicts.items():
            if key != found.engine_key:
                continue
            if name not in declared:
                assert name in observed, f"the undeclared check {name} is lost"
                continue
            passed = [bool(verdict) for verdict in verdicts]
            names = [check.name for check in declared[name]]
            values = [shown.get((found.name, check)) for check in names]
            assert None not in values, f"the results of {name} are lost"
            if len(passed) == len(names):
                assert values == passed
            elif not all(passed):
                assert not any(values), "a failed check is shown as passed"
        for (asset_name, check), passed in shown.items():
            engine_name = next((c.engine_name for c in found.checks if c.name == check), None)
            if asset_name == found.name and passed:
                assert (found.engine_key, engine_name) in answer.verdicts, (
                    "a check passed that was not evaluated"
                )


@settings(
    max_examples=examples(8),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_any_answer_ends_alike_in_all_modes(data):
    units = data.draw(runs)
    answer = data.draw(engine_answers(units, extras=[EXTRA]))
    ends = [ended_with(ended(units, answer, mode)) for mode in MODES]
    assert ends[0] == ends[1] == ends[2]
