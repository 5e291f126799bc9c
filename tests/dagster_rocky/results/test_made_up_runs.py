"""Made-up engine runs are what the engine could print, tell the truth that they were made from, and vary enough."""

import subprocess
from contextlib import suppress
from itertools import count

import dagster as dg
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dagster_rocky.planning.plan import Unit
from dagster_rocky.results import RunResult
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset
from support.engine_results import engine_answers
from support.engine_truth import REASONS, Ending, EngineAnswer, Fate
from support.examples import examples
from support.scripted_engine import ScriptedEngine


def asset(kind: str, name: str, **more: object) -> EngineAsset:
    key = ("duckdb", "x", name) if kind == "table" else ("wh", "marts", name)
    names = ["row_count", "expression:-", "expression:-"]
    checks = tuple(CheckDeclaration(engine_name=n, name=f"c{i}") for i, n in enumerate(names))
    target = f"wh.kept__x.{name}" if kind == "table" else ".".join(key)
    return EngineAsset(
        engine_key=key, asset_key=dg.AssetKey(key), kind=kind, name=name, target=target, checks=checks, **more
    )


TABLES = [Unit(asset("table", name)) for name in "abc"]
MODELS = [Unit(asset("model", name)) for name in "mno"]
DAYS = [
    Unit(asset("model", "daily", granularity="day"), day, day)
    for day in ("2026-05-01", "2026-05-02", "2026-05-03")
]
QUALITY = [Unit(asset("quality", "q"))]
runs = st.sampled_from([TABLES, MODELS, DAYS, QUALITY, [*TABLES, *MODELS]])
answers = runs.flatmap(lambda units: engine_answers(units, extras=[asset("table", "extra")]))


@settings(max_examples=examples(75))
@given(answer=answers)
def test_a_made_up_result_is_valid_and_tells_its_truth(answer):
    if answer.ending in (Ending.NO_JSON, Ending.NOT_JSON, Ending.CUT_OFF):
        with pytest.raises(ValueError, match="JSON"):
            RunResult.from_stdout(answer.stdout.encode())
        return
    result = RunResult.from_stdout(answer.stdout.encode())
    told = {
        (tuple(done.asset_key), done.partition.key if done.partition else None)
        for done in result.materializations
    }
    built = {
        unit
        for unit, fate in answer.fates.items()
        if fate in (Fate.BUILT, Fate.CONTRADICTED) and unit[0] != QUALITY[0].asset.engine_key
    }
    assert told == built | set(answer.also_built)
    excluded = {tuple(table.asset_key): table.reason for table in result.excluded_tables}
    assert excluded == {unit[0]: REASONS[fate] for unit, fate in answer.fates.items() if fate in REASONS}
    failed = [unit for unit, fate in answer.fates.items() if fate in (Fate.FAILED, Fate.CONTRADICTED)]
    errors = len(result.errors) - len(answer.other_errors)
    assert errors == (1 if answer.ending is Ending.NOT_COMPILED else len(failed))
    assert {blocked.model for blocked in result.contained} == {
        unit[0][-1] for unit, fate in answer.fates.items() if fate is Fate.CONTAINED
    }
    told_checks: dict[tuple, list[bool]] = {}
    for checked in result.check_results:
        for check in checked.checks:
            told_checks.setdefault((tuple(checked.asset_key), check.name), []).append(check.passed)
    assert told_checks == {name: [bool(v) for v in verdicts] for name, verdicts in answer.verdicts.items()}


def holds(answer: EngineAnswer, wanted: object) -> bool:
    if isinstance(wanted, Ending):
        return answer.ending is wanted
    if isinstance(wanted, Fate):
        return wanted in answer.fates.values()
    return bool(wanted(answer))


OCCURRENCES = {
    **{f"ending: {ending}": ending for ending in Ending},
    **{f"fate: {fate}": fate for fate in Fate},
    "two results of one name, one failed": lambda a: any(
        {True, False} <= set(v) for v in a.verdicts.values()
    ),
    "a check without a verdict": lambda a: any(None in v for v in a.verdicts.values()),
    "a failed warning": lambda a: any("warning" in v for v in a.severities.values()),
    "an undeclared check": lambda a: any(name == "check:of tomorrow" for _, name in a.verdicts),
    "a null": lambda a: None in (a.document or {}).values(),
    "a field of tomorrow": lambda a: "field_of_tomorrow" in (a.document or {}),
    "a nameless error": lambda a: any(not e.get("asset_key") for e in (a.document or {}).get("errors") or []),
    "a runtime error": lambda a: any(
        e.get("asset_key") == ["<runtime>"] for e in (a.document or {}).get("errors") or []
    ),
    "an error about nothing asked for": lambda a: a.other_errors,
    "another partition": lambda a: any(partition for _, partition in a.also_built),
    "another asset": lambda a: any(not partition for _, partition in a.also_built),
    "partial success": lambda a: a.exit_code == 2,
    "a signal": lambda a: a.exit_code < 0,
    "drift twice on one table": lambda a: (
        len(((a.document or {}).get("drift") or {}).get("actions_taken") or []) > 1
    ),
    "told live though it failed": lambda a: any(
        a.fates.get((seen.engine_key, None)) is Fate.CONTRADICTED for seen in a.live
    ),
    "quarantine": lambda a: (a.document or {}).get("quarantine"),
    "a cooldown": lambda a: any(e.get("cooldown_seconds") for e in (a.document or {}).get("errors") or []),
}


class _AllSeen(Exception):
    """Nothing is left to look for."""


def test_everything_that_an_engine_does_occurs():
    """The rarest are in one of 200 to 750 answers, so what is missing after a round is looked for in the next."""
    missing = dict(OCCURRENCES)

    def look_at(answer):
        for name in [name for name, wanted in missing.items() if holds(answer, wanted)]:
            del missing[name]
        if not missing:
            raise _AllSeen

    search = settings(
        max_examples=300,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    with suppress(_AllSeen):
        for number in range(100):
            search(seed(number)(given(answer=answers)(look_at)))()
    assert list(missing) == []


def test_the_scripted_engine_gives_its_answers_one_after_the_other(tmp_path):
    numbers = count()

    @settings(max_examples=examples(8), suppress_health_check=list(HealthCheck))
    @given(made_up=st.lists(answers, min_size=2, max_size=2))
    def holds_for(made_up):
        folder = tmp_path / f"engine {next(numbers)}"
        folder.mkdir()
        engine = ScriptedEngine(folder, made_up)
        for answer in made_up:
            done = subprocess.run([engine.binary, "run", "-o", "json"], capture_output=True, check=False)
            assert (done.stdout.decode(), done.stderr.decode()) == (answer.stdout, answer.stderr)
            assert done.returncode == answer.exit_code
        assert engine.calls() == ["run -o json"] * 2
        version = subprocess.run([engine.binary, "--version"], capture_output=True, check=True)
        assert version.stdout == b"rocky 1.71.0\n"

    holds_for()
