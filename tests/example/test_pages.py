"""The YAML blocks of the pages in docs/ load as components."""

import re
from pathlib import Path

import pytest
import yaml

import dagster_rocky

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(page for page in DOCS.glob("*.md") if page.name != "yaml.md")
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"```yaml\n(type: .*?)```", page.read_text(), re.DOTALL), start=1
    )
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_yaml_of_a_page_is_a_component(block: str) -> None:
    written = yaml.safe_load(block)
    assert written["type"] == "dagster_rocky.RockyComponent"
    model = (
        dagster_rocky.RockyComponent.model()
    )  # the strict one: what Dagster is given waits for file and line
    model.model_validate(written["attributes"])
