"""Does the UI show the example as it is? `dg dev`, and a person's clicks in a real Chromium where there is one."""

from pathlib import Path
from types import ModuleType

import pytest

from support.scripts import load_script

MILLISECONDS = 60_000


@pytest.fixture
def ui_tools() -> ModuleType:
    """`docs/browser.py`, when everything that it needs is installed."""
    tools = load_script("docs/browser.py")
    if reason := tools.missing():
        pytest.skip(reason)
    return tools


def test_a_person_sees_the_graph_and_launches_an_asset(ui_tools: ModuleType, example: Path) -> None:
    asset = "/assets/duckdb/jfk/ops/flights"
    with ui_tools.dg_dev(example, example / ".dagster_home") as ui, ui_tools.browser(1800, 1300) as page:
        page.goto(f"{ui.url}/asset-groups?expanded=global@global:marts")
        for node in ("fleet_usage", "route_summary", "landing", "daily"):
            page.get_by_text(node, exact=True).first.wait_for(timeout=MILLISECONDS)

        page.goto(ui.url + asset)
        page.locator("button", has_text="Materialize").first.click(timeout=MILLISECONDS)
        run = ui.newest_run()
        assert ui.wait(run) == "SUCCESS"
        page.goto(f"{ui.url}/runs/{run}")
        page.get_by_text("Success", exact=True).first.wait_for(timeout=MILLISECONDS)

        page.goto(f"{ui.url}{asset}?view=checks")
        for check in ("carrier_known", "origin_is_new_york", "row_count"):
            page.get_by_text(check, exact=True).first.wait_for(timeout=MILLISECONDS)

        page.get_by_text("carrier is never null", exact=True).first.wait_for(timeout=MILLISECONDS)
        page.get_by_text("Execute", exact=True).first.click(timeout=MILLISECONDS)
        alone = ui.newest_run(after=run)
        assert ui.wait(alone) == "SUCCESS"
        page.goto(f"{ui.url}/runs/{alone}")
        page.get_by_text("rocky/selected").first.wait_for(timeout=MILLISECONDS)
