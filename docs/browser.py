"""What is needed to look at a Dagster project in a real browser? `dg dev` on a free port, and Chromium beside it.

Playwright and Chromium are optional: `missing()` says what is not there, so that a caller can skip.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# No telemetry, no greeting, and no network but loopback.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DAGSTER_YAML = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"
START_SECONDS = 240
RUN_SECONDS = 240

LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
RUN_STATUS = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
NEWEST = "{ runsOrError(limit: 1) { ... on Runs { results { runId } } } }"
TERMINATE = "mutation ($run: String!) { terminateRun(runId: $run) { __typename } }"


def missing() -> str | None:
    """What has to be installed before a browser can be opened, or `None`."""
    if find_spec("playwright") is None:
        return "playwright is not installed: pip install -e '.[screenshots]'"
    if chromium() is None:
        return f"no Chromium on PATH (looked for {', '.join(CHROMIUM)})"
    return None


def chromium() -> str | None:
    """The system's Chromium."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


@dataclass(frozen=True)
class DagsterUI:
    """A running `dg dev`: where it answers, and how to ask it."""

    url: str
    repository: Mapping[str, str]

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data that GraphQL gives for a query.

        Raises:
            RuntimeError: When the query is refused.
        """
        answer = _post(f"{self.url}/graphql", {"query": query, "variables": variables})
        if "errors" in answer:
            raise RuntimeError(f"Dagster refused the query: {answer['errors']}")
        return dict(answer["data"])

    def launch(self, *keys: str, tags: Mapping[str, str] | None = None) -> str:
        """Launch the assets with those keys (`a/b/c`) as one run, and give its id.

        Raises:
            RuntimeError: When Dagster does not launch it.
        """
        selector = {
            "pipelineName": "__ASSET_JOB",
            **self.repository,
            "assetSelection": [{"path": key.split("/")} for key in keys],
        }
        tag_list = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        params = {
            "selector": selector,
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": tag_list},
        }
        launched = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
        if "run" not in launched:
            raise RuntimeError(f"not launched: {launched}")
        return str(launched["run"]["runId"])

    def status(self, run: str) -> str:
        """The status of a run, e.g. `SUCCESS`."""
        return str(self.ask(RUN_STATUS, run=run)["runOrError"]["status"])

    def wait(self, run: str, *statuses: str) -> str:
        """Wait until the run has one of those statuses, or has ended.

        Raises:
            TimeoutError: When it never has.
        """
        ended = {*statuses, "SUCCESS", "FAILURE", "CANCELED"}
        deadline = time.monotonic() + RUN_SECONDS
        while (status := self.status(run)) not in ended:
            if time.monotonic() > deadline:
                raise TimeoutError(f"run {run} is still {status} after {RUN_SECONDS} s")
            time.sleep(0.1)
        return status

    def newest_run(self, after: str | None = None) -> str:
        """The id of the run that was launched last; waits for one that is not `after`.

        Raises:
            TimeoutError: When nothing is launched.
        """
        deadline = time.monotonic() + RUN_SECONDS
        while not (runs := self.ask(NEWEST)["runsOrError"].get("results")) or runs[0]["runId"] == after:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no run was launched within {RUN_SECONDS} s")
            time.sleep(0.1)
        return str(runs[0]["runId"])

    def terminate(self, run: str) -> None:
        """Ask for the end of a run, as the button does."""
        self.ask(TERMINATE, run=run)


@contextlib.contextmanager
def dg_dev(project: Path, home: Path) -> Iterator[DagsterUI]:
    """Run `dg dev` on a `dg` project, on a free port of loopback, until the block ends.

    Args:
        project: The folder of the project.
        home: The folder for Dagster's own files; made when it is not there.

    Raises:
        RuntimeError: When it does not answer; the end of its log is in the message.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    port, log = _free_port(), home / "dg-dev.log"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [shutil.which("dg", path=path) or "dg", "dev", "--host", "127.0.0.1", "--port", str(port)],
            cwd=project,
            env={**os.environ, "PATH": path, "DAGSTER_HOME": str(home)},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield DagsterUI(f"http://127.0.0.1:{port}", _repository(process, f"http://127.0.0.1:{port}", log))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def browser(width: int = 1400, height: int = 800) -> Iterator["Page"]:
    """A page of headless Chromium of that size, in pixels."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - optional

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_ARGUMENTS))
        try:
            yield started.new_page(viewport={"width": width, "height": height})
        finally:
            started.close()


def _repository(process: subprocess.Popen[bytes], url: str, log: Path) -> Mapping[str, str]:
    query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            nodes = _post(f"{url}/graphql", {"query": query})["data"]["repositoriesOrError"].get("nodes", [])
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            nodes = []
        if nodes:
            return {
                "repositoryName": nodes[0]["name"],
                "repositoryLocationName": nodes[0]["location"]["name"],
            }
        time.sleep(0.5)
    raise RuntimeError(f"dg dev did not answer at {url}:\n{log.read_text()[-2000:]}")


def _post(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return dict(json.load(response))


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
