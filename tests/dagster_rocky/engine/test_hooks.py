"""Hook events are read however they are laid out, and none that is whole is lost."""

import json
import os
import subprocess
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky.engine.news.events import Built, Drifted, EngineEvent, Failed
from dagster_rocky.engine.news.hooks import HOOK_FILE_ENV, HookReader
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.resource import RockyResource
from dagster_rocky.vocabulary import EngineAsset
from support.examples import examples
from support.stand_in import MODES, run_step, table_asset

ROOT = Path(__file__).parents[3]
RECORDED = sorted((ROOT / "tests" / "recordings" / "hooks").glob("*/hooks.txt"))
EVENTS = [
    {"event": "after_materialize", "run_id": "r", "table": "w.s.t", "duration_ms": 7, "metadata": {}},
    {"event": "on_after_materialize", "run_id": "r", "table": "w.s.ü {x}", "duration_ms": 7},
    {"event": "materialize_error", "run_id": "r", "table": "w.s.t", "error": 'no "x" {\n'},
    {"event": "drift_detected", "run_id": "r", "table": "w.s.t", "metadata": {"drifted_columns": [{"a": 1}]}},
    {"event": "check_result", "run_id": "r", "metadata": {"check_name": "row_count", "passed": True}},
    {"event": "after_model_run", "run_id": "r", "model": "m", "duration_ms": 2, "metadata": {}},
]
TOLD = [
    Built(source="hook", name="w.s.t", duration_ms=7, run_id="r"),
    Built(source="hook", name="w.s.ü {x}", duration_ms=7, run_id="r"),
    Failed(source="hook", name="w.s.t", error='no "x" {\n', run_id="r"),
    Drifted(source="hook", table="w.s.t", action="", reason=""),
    None,
    Built(source="hook", name="m", duration_ms=2, run_id="r"),
]


def read_in_pieces(folder: Path, content: bytes, cuts: list[int]) -> list[EngineEvent]:
    """What the reader gives when the file grows piece by piece."""
    path = folder / "hooks"
    path.write_bytes(b"")
    reader = HookReader(path)
    found: list[EngineEvent] = []
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    for start, stop in pairwise(places):
        with path.open("ab") as file:
            file.write(content[start:stop])
        found += reader.read()
    found += reader.read(everything=True)
    reader.close()
    return found


@settings(max_examples=examples(75))
@given(
    chosen=st.lists(st.tuples(st.integers(0, len(EVENTS) - 1), st.sampled_from([None, 2, 4])), max_size=8),
    between=st.lists(st.sampled_from(["", "\n", " ", "\r\n\n"]), min_size=8, max_size=8),
    cuts=st.lists(st.integers(0, 5000), max_size=6),
)
def test_whole_objects_are_read_in_any_layout_and_any_pieces(tmp_path_factory, chosen, between, cuts) -> None:
    text = "".join(
        json.dumps(EVENTS[which], indent=indent, ensure_ascii=indent is None) + gap
        for (which, indent), gap in zip(chosen, between, strict=False)
    )
    found = read_in_pieces(tmp_path_factory.getbasetemp(), text.encode(), cuts)

    assert found == [TOLD[which] for which, _ in chosen if TOLD[which] is not None]


@settings(max_examples=examples(75))
@given(
    torn=st.lists(
        st.tuples(st.integers(0, len(EVENTS) - 1), st.integers(1, 60), st.sampled_from([None, 2])), max_size=3
    ),
    junk=st.binary(max_size=30),
    cuts=st.lists(st.integers(0, 5000), max_size=4),
)
def test_what_is_torn_never_takes_whole_events_along(tmp_path_factory, torn, junk, cuts) -> None:
    whole = b'\n{\n  "event": "after_materialize",\n  "table": "w.s.last"\n}\n'
    broken = b"".join(
        json.dumps(EVENTS[which], indent=indent).encode()[:length] for which, length, indent in torn
    )
    found = read_in_pieces(tmp_path_factory.getbasetemp(), broken + junk + whole, cuts)

    assert Built(source="hook", name="w.s.last") in found


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_recorded_hooks_tell_what_the_engine_handed_over(path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    found = read_in_pieces(tmp_path, text.encode(), [100, 333, 1000])

    told = Counter(type(event).__name__ for event in found)
    assert told["Built"] == text.count('"after_materialize"') + text.count('"after_model_run"')
    assert told["Failed"] == text.count('"materialize_error"')
    assert told["Drifted"] == text.count('"drift_detected"')


def assets_of(document: dict) -> list[EngineAsset]:
    made = []
    for built in document.get("materializations", []):
        asset = table_asset(built["asset_key"][-1])
        key = tuple(built["asset_key"])
        target = built["metadata"]["target_table_full_name"]
        made.append(replace(asset, engine_key=key, asset_key=type(asset.asset_key)(key), target=target))
    return made


@pytest.mark.parametrize("live_after", [0, 60], ids=["at-once", "held"])
def test_a_recorded_run_with_hooks_ends_alike_in_all_modes(
    make_engine: Callable[..., RockyResource], live_after: float
) -> None:
    case = next(path.parent for path in RECORDED if path.parent.name == "chained_intake_all")
    engine = make_engine(f"""
        folder = {str(case)!r}
        open(os.environ["{HOOK_FILE_ENV}"], "a").write(open(folder + "/hooks.txt").read())
        time.sleep(0.2)
        sys.stderr.write(open(folder + "/stderr").read()); sys.stderr.flush()
        sys.stdout.write(open(folder + "/stdout").read()); sys.stdout.flush()
    """)
    document = json.loads((case / "stdout").read_text())
    assets = assets_of(document)
    options = RunOptions(live_after_seconds=live_after)
    runs = [run_step(engine, mode, assets, options=options) for mode in MODES]

    assert assets
    for run in runs:
        assert run.success
        assert run.materialized == runs[0].materialized
        assert run.observed == runs[0].observed
        assert any(line.startswith("rocky: [1/") for line in run.logs)
    completed = [
        facts for run in runs for _, facts in run.observed if "rocky/completes_materialization" in facts
    ]
    assert bool(completed) == (live_after == 0)


@pytest.mark.parametrize(
    "config", ["example_project/rocky.toml", "component_templates/rocky_project/rocky.toml.jinja"]
)
def test_the_scaffolded_command_writes_each_event_as_one_line(config: str, tmp_path: Path) -> None:
    line = next(text for text in (ROOT / config).read_text().splitlines() if HOOK_FILE_ENV in text)
    command = tomllib.loads(line)["command"]
    path = tmp_path / "hooks"
    payloads = [json.dumps({**EVENTS[0], "note": 'a\\n"%s" $x', "number": n}, indent=2) for n in range(3)]
    for payload in payloads:
        subprocess.run(
            ["sh", "-c", command],
            input=payload.encode(),
            check=True,
            env={**os.environ, HOOK_FILE_ENV: str(path)},
        )
    subprocess.run(
        ["sh", "-c", command], input=payloads[0].encode(), check=True, env={"PATH": os.environ["PATH"]}
    )

    lines = path.read_text().splitlines()
    assert [json.loads(text) for text in lines] == [json.loads(payload) for payload in payloads]
