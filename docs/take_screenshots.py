"""Take the pictures of the Dagster UI in `docs/screenshots/`: the example project under `dg dev`, in real Chromium.

    python docs/take_screenshots.py [name ...]

Works on a copy of the example in a temporary folder. Every picture waits for words that its page has to show, and the
script fails when they do not come. Without playwright or Chromium it says so and does nothing.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from browser import DagsterUI, browser, dg_dev, missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "example_project"
PICTURES = ROOT / "docs" / "screenshots"
PAGE_MILLISECONDS = 40_000
SETTLE_MILLISECONDS = 2_500
# A hook that takes its time makes the runs long enough to be looked at while they run.
SLOW_HOOK = ('event="$(tr', 'sleep 1.5; event="$(tr')
BROKEN_MODEL = "SELECT CAST('not a number' AS INTEGER) AS seats\n"

DAYS = {
    "dagster/asset_partition_range_start": "2013-07-01",
    "dagster/asset_partition_range_end": "2013-07-31",
}
GROUPS = "{ assetNodes { assetKey { path } groupName } }"


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the path of its page, the words that the page has to show, and its size in pixels."""

    name: str
    path: str
    words: tuple[str, ...]
    size: tuple[int, int] = (1280, 720)


def take(page: "Page", ui: DagsterUI, shot: Shot) -> None:
    """Open the page, wait for its words, and write the picture."""
    page.set_viewport_size({"width": shot.size[0], "height": shot.size[1]})
    page.goto(ui.url + shot.path)
    for word in shot.words:
        shown = page.get_by_text(re.compile(re.escape(word))).locator("visible=true")
        shown.first.wait_for(timeout=PAGE_MILLISECONDS)
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    picture = PICTURES / f"{shot.name}.png"
    page.screenshot(path=picture)
    print(f"  {picture.relative_to(ROOT)}  {picture.stat().st_size // 1024} KB")


def prepare(folder: Path) -> Path:
    """A seeded copy of the example in that folder, with a hook that takes its time."""
    project = folder / "nyc-flights"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.duckdb*", "*.sqlite*")
    shutil.copytree(EXAMPLE, project, ignore=unwanted)
    subprocess.run([sys.executable, "seed.py"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    config = project / "rocky.toml"
    text = config.read_text()
    if SLOW_HOOK[0] not in text:
        raise SystemExit(f"screenshots: the hook of {EXAMPLE / 'rocky.toml'} has changed; adapt SLOW_HOOK")
    config.write_text(text.replace(*SLOW_HOOK))
    return project


def group_keys(ui: DagsterUI, group: str) -> list[str]:
    """The keys of all assets of a group."""
    nodes = ui.ask(GROUPS)["assetNodes"]
    return ["/".join(node["assetKey"]["path"]) for node in nodes if node["groupName"] == group]


def runs_in_progress(page: "Page", ui: DagsterUI) -> None:
    """The three modes while they run, and a cancelled run."""
    landing, marts = group_keys(ui, "landing"), group_keys(ui, "marts")
    for mode, keys, tags, words in (
        ("streaming", landing, {}, ("rocky: ",)),
        ("pipes", marts, {}, ("rocky: ",)),
        ("buffered", ["flights/marts/daily_flights"], DAYS, ("STEP_START",)),
    ):
        run = ui.launch(*keys, tags=tags)
        ui.wait(run, "STARTED")
        take(page, ui, Shot(f"run_{mode}", f"/runs/{run}", words))
        if ui.wait(run) != "SUCCESS":
            raise SystemExit(f"screenshots: the run in mode {mode} did not succeed: {ui.url}/runs/{run}")
    cancelled = ui.launch(*landing)
    ui.wait(cancelled, "STARTED")
    page.goto(f"{ui.url}/runs/{cancelled}")
    page.get_by_text("rocky: ").first.wait_for(timeout=PAGE_MILLISECONDS)
    ui.terminate(cancelled)
    ui.wait(cancelled)
    take(page, ui, Shot("run_cancelled", f"/runs/{cancelled}", ("Canceled",)))


def failed_run(page: "Page", ui: DagsterUI, project: Path) -> None:
    """A run in which one model fails and its siblings are kept."""
    (project / "models" / "fleet_usage.sql").write_text(BROKEN_MODEL)
    failed = ui.launch(*group_keys(ui, "marts"))
    ui.wait(failed)
    take(page, ui, Shot("run_failed", f"/runs/{failed}", ("Failure", "fleet_usage")))


def pages(page: "Page", ui: DagsterUI) -> None:
    """The pages of the graph, of assets and of the automation."""
    asset = "/assets/flights/marts/carrier_performance"
    groups = ",".join(f"global@global:{group}" for group in ("marts", "daily"))
    for shot in (
        Shot(
            "graph",
            f"/asset-groups?expanded={groups}",
            ("stg_flights", "monthly_flights"),
            (1800, 1250),
        ),
        Shot("asset", asset, ("carrier_performance", "Latest materialization")),
        Shot("checks", "/assets/duckdb/jfk/ops/flights?view=checks", ("carrier_known",)),
        Shot("partitions", "/assets/flights/marts/daily_flights?view=partitions", ("2013-01-01",)),
        Shot("column_lineage", f"{asset}?view=lineage&column=mean_dep_delay", ("mean_dep_delay",)),
        Shot("automation", "/automation", ("nightly_landing", "rocky_landing_state")),
    ):
        take(page, ui, shot)


def main(arguments: Iterable[str] = ()) -> None:
    """Take all pictures, or those groups that are named."""
    if reason := missing():
        print(f"screenshots: skipped, {reason}")
        return
    wanted = set(arguments)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rocky-screenshots-") as temporary:
        project = prepare(Path(temporary))
        with dg_dev(project, Path(temporary) / "home") as ui, browser() as page:
            groups: Mapping[str, Callable[[], None]] = {
                "runs": lambda: runs_in_progress(page, ui),
                "pages": lambda: pages(page, ui),
                "failed": lambda: failed_run(page, ui, project),
            }
            for name, group in groups.items():
                if not wanted or name in wanted:
                    group()


if __name__ == "__main__":
    main(sys.argv[1:])
