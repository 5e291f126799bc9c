"""The real engine's recorded runs, played back by a stand-in: what it writes becomes the same events in every mode."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_rocky.resource import RockyResource
from dagster_rocky.results import RunResult
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset
from support.ends import ended_with
from support.stand_in import MODES, run_step

RECORDINGS = Path(__file__).parents[2] / "recordings"
PLAYER = """
folder = {folder!r}
path = messages_path()
sys.stderr.write(open(os.path.join(folder, "stderr")).read()); sys.stderr.flush()
if path: open(path, "a").write(open(os.path.join(folder, "messages.jsonl")).read())
sys.stdout.write(open(os.path.join(folder, "stdout")).read()); sys.stdout.flush()
sys.exit({code})
"""


def recorded_runs() -> list[Path]:
    """Cases with Pipes messages and a JSON result that built something without partitions."""
    found = []
    for messages in sorted(RECORDINGS.glob("**/messages.jsonl")):
        stdout = messages.with_name("stdout")
        if not stdout.exists() or not (text := stdout.read_text()).startswith("{"):
            continue
        document = json.loads(text)
        built = document.get("materializations") or []
        if document.get("command") == "run" and built and not any("partition" in m for m in built):
            found.append(messages.parent)
    return found


def assets_of(result: RunResult) -> list[EngineAsset]:
    """What the run built, with the checks that it evaluated."""
    checks: dict[tuple[str, ...], list[CheckDeclaration]] = {}
    for checked in result.check_results:
        for outcome in checked.checks:
            mine = checks.setdefault(tuple(checked.asset_key), [])
            occurrence = sum(one.engine_name == outcome.name for one in mine)
            name = "".join(c if c.isalnum() or c == "_" else "_" for c in outcome.name)
            declared = CheckDeclaration(
                engine_name=outcome.name, name=f"{name}_{occurrence}", occurrence=occurrence
            )
            mine.append(declared)
    return [
        EngineAsset(
            engine_key=tuple(built.asset_key),
            asset_key=dg.AssetKey(built.asset_key),
            kind="table",
            name=built.asset_key[-1],
            target=built.metadata.target_table_full_name,
            checks=tuple(checks.get(tuple(built.asset_key), [])),
        )
        for built in result.materializations
    ]


@pytest.mark.parametrize("case", recorded_runs(), ids=lambda path: "-".join(path.parts[-2:]))
def test_what_the_real_engine_wrote_ends_alike(case: Path, make_engine: Callable[..., RockyResource]) -> None:
    document: dict[str, Any] = json.loads((case / "stdout").read_text())
    result = RunResult.model_validate(document)
    code = int((case / "exit_code").read_text())
    engine = make_engine(PLAYER.format(folder=str(case), code=code))
    assets = assets_of(result)

    ends = {mode: ended_with(run_step(engine, mode, assets).result) for mode in MODES}

    assert ends["pipes"] == ends["streaming"] == ends["buffered"]
    success, built, checks, _ = ends["pipes"]
    # What was built is told; only errors that name something else explain another exit code.
    elsewhere = code == 2 and all(error.asset_key for error in result.errors)
    assert success == (code == 0 or elsewhere)
    assert {name for name, *_ in built} == {"/".join(m.asset_key) for m in result.materializations}
    evaluated = [outcome for checked in result.check_results for outcome in checked.checks]
    assert len(checks) == len(evaluated)
