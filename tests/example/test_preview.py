"""The preview of the example project, from the shell."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dagster_rocky.__main__ import main

pytestmark = pytest.mark.xdist_group("example")


def test_the_preview_of_the_example(example: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(example)
    monkeypatch.syspath_prepend(str(example))
    selection = 'key:"duckdb/jfk/wx/weather" or key:"flights/staging/*"'
    done = CliRunner().invoke(main, ["plan", "--selection", selection])
    assert done.exit_code == 0, done.output
    assert "1. `rocky run --pipeline landing --filter " in done.output
    assert "builds duckdb/jfk/wx/weather" in done.output
    assert "2 models in one process" in done.output
    wrong = CliRunner().invoke(main, ["plan", "--selection", "key:flights/marts/daily_flights"])
    assert wrong.exit_code == 1
    assert "name them with --partition" in wrong.output
