"""Whatever lies in a project's TOML files is a project or an error that says so, never a traceback."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rocky_local.errors import EngineError
from rocky_local.project.config import load_config
from rocky_local.project.graph import build_graph
from rocky_local.project.models import load_project
from support.examples import examples

from .conftest import REPLICATION, TRANSFORMATION

SIDECAR = """name = "m"
depends_on = []
tags = { a = "b" }
[target]
catalog = "lake"
schema = "s"
[strategy]
type = "time_interval"
time_column = "t"
[[tests]]
type = "not_null"
column = "t"
"""
TEXTS = (REPLICATION, TRANSFORMATION, SIDECAR)
VALUES = st.sampled_from(
    ["3", "-1", "nan", '"x"', "[]", "[1]", "{}", "{ a = 1 }", "true", "2026-01-01", "'", '"', ""]
)
FUZZ = settings(
    max_examples=examples(250),
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A TOML file of ours with some lines lost, doubled, cut off, or with another value."""
    lines = draw(st.sampled_from(TEXTS)).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        name, equals, _ = lines[at].partition("=")
        changed = [
            [],
            [lines[at]] * 2,
            [lines[at][: draw(st.integers(0, len(lines[at])))]],
            [f"{name}= {draw(VALUES)}" if equals else lines[at]],
            [draw(st.text(max_size=8)), lines[at]],
            [
                f"[{draw(st.sampled_from(['pipeline', 'adapter', 'hook', 'target', 'strategy', 'a.b', 'mask']))}]"
            ],
        ]
        lines[at : at + 1] = changed[draw(st.integers(0, len(changed) - 1))]
        if not lines:
            break
    return "\n".join(lines)


@FUZZ
@given(mutated())
def test_any_file_is_read_or_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models/m.sql").write_text("SELECT 1 AS t")
    for name in ("rocky.toml", "models/m.toml", "models/_defaults.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8", errors="replace")
    for read in (
        lambda: build_graph(load_config(str(tmp_path / "rocky.toml"))).layers(),
        lambda: load_project(str(tmp_path / "models")).layers(),
    ):
        with suppress(EngineError):  # Anything else that is raised is a traceback for the user.
            read()


@pytest.mark.parametrize(
    ("plural", "singular"),
    [("[adapters.default]", "[adapter]"), ("[pipelines.landing", "[pipeline.landing"), ("[hooks]", "[hook]")],
)
def test_spellings_are_one_and_the_same(tmp_path: Path, plural: str, singular: str) -> None:
    text = REPLICATION + "\n[hook]\n"
    read = []
    for name, spelled in (("a.toml", text), ("b.toml", text.replace(singular, plural))):
        (tmp_path / name).write_text(spelled)
        read.append(load_config(str(tmp_path / name)).raw)

    assert plural in text.replace(singular, plural)
    assert read[0] == {**read[1], "adapter": read[0]["adapter"]}


def test_a_lone_pipeline_is_called_default_and_both_spellings_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rocky.toml"
    path.write_text(REPLICATION.replace("pipeline.landing", "pipeline"))
    config = load_config(str(path))

    assert [*config.pipeline] == ["default"]
    assert config.where("pipeline", "default", "strategy").endswith(":6")

    path.write_text(REPLICATION + '\n[pipelines.x]\ntype = "quality"\n')
    with pytest.raises(EngineError) as refused:
        load_config(str(path))
    assert "duplicate field `pipeline`" in refused.value.report()


def test_links_and_byte_order_marks_are_followed_and_skipped(tmp_path: Path) -> None:
    mark = "\N{ZERO WIDTH NO-BREAK SPACE}"
    real, elsewhere = tmp_path / "..data", tmp_path / "elsewhere"
    for folder in (real, elsewhere, tmp_path / "models"):
        folder.mkdir()
    (real / "rocky.toml").write_text(mark + TRANSFORMATION, encoding="utf-8")
    (tmp_path / "rocky.toml").symlink_to(real / "rocky.toml")
    (elsewhere / "m.sql").write_text("SELECT 1 AS t")
    (elsewhere / "m.toml").write_text(mark + 'target = { catalog = "lake", schema = "s" }', encoding="utf-8")
    (tmp_path / "models/linked").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(elsewhere)

    graph = build_graph(load_config(str(tmp_path / "rocky.toml")))

    assert [node.id for node in graph.nodes] == ["transformation:m"]
