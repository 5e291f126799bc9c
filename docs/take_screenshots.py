"""Take the pictures of the Dagster UI in `docs/screenshots/`: the example project under `dg dev`, in real Chromium.

    python docs/take_screenshots.py [name ...]

Works on a copy of the example in `flights` below the system's temporary folder, because pictures show paths. Every
picture waits for words that its page has to show, and the script fails when they do not come, or when a picture is too
large. Without playwright or Chromium it says so and does nothing.
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
LARGEST_KILOBYTES = 150
# A hook that takes its time makes the runs long enough to be looked at while they run.
HOOK = re.compile(r"(?m)^command = 'event=.*$")
SLOW_SCRIPT = 'sleep 1.5\nevent="$(tr -d "\\n")"\nprintf "%s\\n" "$event" >> "$DAGSTER_ROCKY_HOOK_FILE"\n'
BROKEN_MODEL = "SELECT CAST('not a number' AS INTEGER) AS seats\n"

DAYS = {
    "dagster/asset_partition_range_start": "2013-07-01",
    "dagster/asset_partition_range_end": "2013-07-31",
}
# Dagster's stack traces name folders of this machine, and are no part of what is shown.
WITHOUT_TRACES = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let inside = null;
  while (texts.nextNode()) {
    const node = texts.currentNode;
    if (inside && !inside.contains(node)) inside = null;
    const at = node.data.search(/Stack Trace/);
    if (inside) node.data = "";
    else if (at >= 0) { inside = node.parentElement.parentElement; node.data = node.data.slice(0, at); }
  }
}"""
GROUPS = "{ assetNodes { assetKey { path } groupName } }"


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the path of its page, the words that the page has to show, and its size in pixels.

    `at` is a heading to scroll to, `only` the type of the events that are shown of a run.
    """

    name: str
    path: str
    words: tuple[str, ...]
    size: tuple[int, int] = (1280, 720)
    at: str = ""
    only: str = ""


def take(page: "Page", ui: DagsterUI, shot: Shot) -> None:
    """Open the page, wait for its words, and write the picture."""
    page.set_viewport_size({"width": shot.size[0], "height": shot.size[1]})
    page.goto(ui.url + shot.path)
    if shot.only:
        events = page.get_by_placeholder(re.compile("^Filter")).first
        events.fill(f"type:{shot.only}", timeout=PAGE_MILLISECONDS)
        events.press("Enter")
    for word in shot.words:
        shown = page.get_by_text(re.compile(re.escape(word))).locator("visible=true")
        shown.first.wait_for(timeout=PAGE_MILLISECONDS)
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    if shot.at:
        heading = page.get_by_text(shot.at, exact=True).first
        heading.evaluate("element => element.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(SETTLE_MILLISECONDS // 5)
    page.evaluate(WITHOUT_TRACES)
    picture = PICTURES / f"{shot.name}.png"
    page.screenshot(path=picture)
    kilobytes = picture.stat().st_size // 1024
    print(f"  {picture.relative_to(ROOT)}  {kilobytes} KB")
    if kilobytes > LARGEST_KILOBYTES:
        raise SystemExit(
            f"screenshots: {shot.name} has more than {LARGEST_KILOBYTES} KB; give it a smaller page"
        )


def prepare(folder: Path) -> Path:
    """A seeded copy of the example in that folder, with a hook that takes its time."""
    project = folder / "nyc-flights"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.duckdb*", "*.sqlite*")
    shutil.copytree(EXAMPLE, project, ignore=unwanted)
    subprocess.run([sys.executable, "seed.py"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    config = project / "rocky.toml"
    text, found = HOOK.subn('command = "sh note_event.sh"', config.read_text())
    if not found:
        raise SystemExit(f"screenshots: the hook of {EXAMPLE / 'rocky.toml'} has changed; adapt HOOK")
    config.write_text(text)
    (project / "note_event.sh").write_text(SLOW_SCRIPT)
    return project


def group_keys(ui: DagsterUI, group: str) -> list[str]:
    """The keys of all assets of a group."""
    nodes = ui.ask(GROUPS)["assetNodes"]
    return ["/".join(node["assetKey"]["path"]) for node in nodes if node["groupName"] == group]


def runs_in_progress(page: "Page", ui: DagsterUI) -> None:
    """The three modes while they run."""
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


def cancelled_run(page: "Page", ui: DagsterUI) -> None:
    """A run that is cancelled while the engine works."""
    landing = group_keys(ui, "landing")
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
    take(page, ui, Shot("run_failed", f"/runs/{failed}", ("Failure", "fleet_usage"), only="STEP_FAILURE"))


def pages(page: "Page", ui: DagsterUI) -> None:
    """The pages of the graph, of assets and of the automation."""
    asset = "/assets/flights/marts/carrier_performance"
    location = f"/locations/{ui.repository['repositoryLocationName']}"
    groups = ",".join(f"global@global:{group}" for group in ("marts", "daily"))
    for shot in (
        Shot(
            "graph",
            f"/asset-groups?expanded={groups}",
            ("stg_flights", "monthly_flights"),
            (1340, 860),
        ),
        Shot("asset", asset, ("carrier_performance", "Latest materialization")),
        Shot("checks", "/assets/duckdb/jfk/ops/flights?view=checks", ("carrier_known",)),
        Shot("partitions", "/assets/flights/marts/daily_flights?view=partitions", ("2013-01-01",)),
        Shot("columns", asset, ("mean_dep_delay", "from "), at="Columns"),
        Shot("automation", "/automation", ("nightly_landing", "rocky_landing_state")),
        Shot("schedule", f"{location}/schedules/nightly_landing", ("nightly_landing", "At 03:00 AM")),
        Shot("sensor", f"{location}/sensors/rocky_landing_state", ("rocky_landing_state",)),
    ):
        take(page, ui, shot)


def main(arguments: Iterable[str] = ()) -> None:
    """Take all pictures, or those groups that are named."""
    if reason := missing():
        print(f"screenshots: skipped, {reason}")
        return
    wanted = set(arguments)
    PICTURES.mkdir(exist_ok=True)
    temporary = Path(tempfile.gettempdir()) / "flights"
    if temporary.exists():
        raise SystemExit(f"screenshots: {temporary} is there already; remove it")
    try:
        project = prepare(temporary)
        with dg_dev(project, temporary / "home") as ui, browser() as page:
            groups: Mapping[str, Callable[[], None]] = {
                "runs": lambda: runs_in_progress(page, ui),
                "pages": lambda: pages(page, ui),
                "cancelled": lambda: cancelled_run(page, ui),
                "failed": lambda: failed_run(page, ui, project),
            }
            for name, group in groups.items():
                if not wanted or name in wanted:
                    group()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
