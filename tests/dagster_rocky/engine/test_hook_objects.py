"""What the hook reader makes of objects, however they are laid out and whenever they arrive."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky.engine.news.hooks import HookReader

EVENT = st.sampled_from(["on_after_materialize", "after_materialize", "before_materialize", "check_result"])
NAME = st.text(min_size=1, max_size=5).map(lambda text: f"wh.x.{text}")


@settings(max_examples=50)
@given(
    st.lists(st.tuples(EVENT, NAME, st.sampled_from([None, 1, 2]), st.sampled_from(["", "\n"])), max_size=6),
    st.lists(st.integers(0, 400), max_size=4),
)
def test_finished_tables_are_read_once_wherever_the_writes_are_cut(
    tmp_path_factory, events: list[tuple[str, str, int | None, str]], cuts: list[int]
) -> None:
    told = "".join(
        json.dumps({"event": event, "table": name, "duration_ms": 5, "metadata": {}}, indent=indent) + end
        for event, name, indent, end in events
    )
    data = f"{told}\n".encode()
    path = tmp_path_factory.mktemp("hooks") / "told"
    path.touch()
    reader, begun, found = HookReader(path), 0, []
    for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        _append(path, data[begun:end])
        begun = end
        found += [built.name for built in reader.read()]
    reader.close()
    assert found == [name for event, name, _, _ in events if event.endswith("after_materialize")]


def test_an_object_that_was_never_ended_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "told"
    path.write_text(
        '{\n  "event": "after_mater\nnoise\n{\n  "event": "after_materialize",\n  "table": "t"\n}\n'
    )
    reader = HookReader(path)
    assert [built.name for built in reader.read()] == ["t"]
    reader.close()


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
