from __future__ import annotations

import json
from pathlib import Path

import pytest

from rocky_local.errors import NotAQuery
from rocky_local.project.lineage import QueryCache, analyse

QUERY = "SELECT t.a, SUM(t.b) AS b FROM s.t AS t GROUP BY t.a"


def test_a_remembered_query_is_what_parsing_gives(tmp_path: Path) -> None:
    path = tmp_path / ".rocky" / "lineage.json"
    for _ in range(2):
        with QueryCache(path) as cache:
            assert cache.analyse(QUERY) == analyse(QUERY)
    assert len(json.loads(path.read_text())["queries"]) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other", "queries": {"x": 1}}', '{"format": 1}'])
def test_a_file_of_another_kind_is_parsed_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lineage.json"
    path.write_text(text)
    with QueryCache(path) as cache:
        assert cache.analyse(QUERY).columns == ["a", "b"]
    assert json.loads(path.read_text())["queries"]


def test_what_cannot_be_analysed_fails_every_time(tmp_path: Path) -> None:
    path = tmp_path / "lineage.json"
    for _ in range(2):
        with QueryCache(path) as cache, pytest.raises(NotAQuery):
            cache.analyse("SELEC 1")
    assert not path.exists()


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with QueryCache(blocked / "lineage.json") as cache:
        assert cache.analyse(QUERY).columns == ["a", "b"]
