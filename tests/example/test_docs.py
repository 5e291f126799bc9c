"""What `make docs` writes is in step with the code, and the demo's table says what happened."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dagster_rocky
from support import forking
from support.scripts import load_script

REPOSITORY = Path(__file__).resolve().parents[2]
# The commands beside the interpreter are those that the scripts start; here they are in processes that are forked.
FORKED_PYTHON = forking.dg().script.with_name("python")
pytestmark = pytest.mark.xdist_group("example")


@pytest.mark.parametrize("name", ["write_yaml_reference", "write_python_reference", "write_troubleshooting"])
def test_a_reference_is_up_to_date(name: str):
    script = load_script(f"docs/{name}.py")
    assert script.REFERENCE.read_text() == script.reference(), "run `make docs`"


def test_every_public_name_is_in_the_reference():
    page = (REPOSITORY / "docs" / "python.md").read_text()
    headings = set(re.findall(r"^## (\w+)$", page, flags=re.MULTILINE))
    assert headings >= set(dagster_rocky.__all__)
    for method in ("run", "run_streaming", "run_pipes", "plan", "discover", "test", "history"):
        assert f"### RockyResource.{method}\n" in page
    assert "### RunResult\n" in page


def test_the_pictures_of_the_ui_are_small_and_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(REPOSITORY / "docs")
    script = load_script("docs/take_screenshots.py")
    pages = "".join(page.read_text() for page in (REPOSITORY / "docs").glob("*.md"))
    pictures = list(script.PICTURES.glob("*.png"))
    assert len(pictures) > 10
    for picture in pictures:
        assert picture.stat().st_size // 1024 <= script.LARGEST_KILOBYTES, picture.name
        assert f"screenshots/{picture.name}" in pages, picture.name


def test_the_picture_is_up_to_date(example: Path, monkeypatch: pytest.MonkeyPatch):
    script = load_script("docs/draw_graph.py")
    monkeypatch.setattr(script, "PROJECT", example)
    monkeypatch.setattr(sys, "executable", str(FORKED_PYTHON))
    assert script.PICTURE.read_text() == script.draw(script.read_graph()), "run `make docs`"


@pytest.mark.timeout(900)
def test_the_demo_ends_with_a_table(example: Path):
    run = "import runpy, sys; sys.executable = sys.argv.pop(); runpy.run_path('demo.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", run, FORKED_PYTHON],
        cwd=example,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "already loaded" in done.stdout
    assert "[1/9]" in done.stdout
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in done.stdout.splitlines()
        if line.startswith("│")
    ]
    by_asset = {row[0]: row for row in rows}
    assert len(by_asset) == 17
    assert by_asset["duckdb/ewr/ops/flights"][1:3] == ["streaming", "120,835"]
    assert by_asset["duckdb/all/ref/planes"][-1] == "year_built_known (warn)"
    assert by_asset["flights/staging/stg_flights"][1:3] == ["pipes", "336,776"]
    assert by_asset["flights/marts/daily_flights"][1:4] == ["buffered", "93", "31"]
    assert [row[0] for row in rows if row[-1] != "0"] == ["duckdb/all/ref/planes"]
    assert "make ui" in done.stdout
