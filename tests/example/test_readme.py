"""The README keeps its word: its links, its make targets, its YAML and its Python."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()

pytestmark = pytest.mark.xdist_group("example")


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(document: str):
    text = (REPOSITORY / document).read_text()
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    headings = {
        re.sub(r"[^a-z ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"(?m)^#+ (.+)$", text)
    }
    for target in targets:
        assert target[1:] in headings if target.startswith("#") else (REPOSITORY / target).exists(), target
    assert targets or document == "CONTRIBUTING.md"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_exist(document: str):
    makefile = (REPOSITORY / "Makefile").read_text()
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", (REPOSITORY / document).read_text()))
    assert named >= {"demo", "test"}
    for target in named:
        assert re.search(rf"^{target}:.* ## .", makefile, flags=re.MULTILINE), target


def test_modules_and_files_of_the_architecture_exist():
    page = (REPOSITORY / "docs" / "how_it_works.md").read_text()
    table = page[page.index("| question | where |") : page.index("Three decisions")]
    for name in re.findall(r"`([a-z_/]+(?:\.py|/))`", table):
        assert any((root / name).exists() for root in (REPOSITORY, REPOSITORY / "src" / "dagster_rocky")), (
            name
        )


def test_the_yaml_loads(example: Path, dg_command: Callable[..., str]):
    (text,) = blocks("yaml")
    file = example / "nyc_flights" / "defs" / "landing" / "defs.yaml"
    file.write_text(text.replace("binary_path: rocky ", "binary_path: rocky-local "))
    dg_command("check", "yaml")
    listed = json.loads(dg_command("list", "defs", "--json"))["assets"]
    landed = {asset["asset_key"] for asset in listed if asset["group_name"] == "landing"}
    assert landed == {"duckdb/jfk/ops/flights", "duckdb/jfk/wx/weather"}


def test_the_python_runs(example: Path, monkeypatch: pytest.MonkeyPatch):
    (text,) = blocks("python")
    monkeypatch.chdir(example)
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(text, "README.md", "exec"), names)
    definitions = names["defs"]
    assert isinstance(definitions, dg.Definitions)
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process()
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["tables_copied"].value == 1
