"""Every command of the README and of the pages runs as it is written: in the example, or in a scaffolded project."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import jsonschema
import pytest
import yaml

from support import forking
from support.homes import make_home
from support.seeding import opened

REPOSITORY = Path(__file__).resolve().parents[2]
TUTORIAL = "first_project.md"
pytestmark = [pytest.mark.xdist_group("example"), pytest.mark.timeout(900)]

NOT_HERE = {
    "dg dev": "test_ui.py opens it in a browser",
    "make": "test_readme.py looks for the target",
    "pip": "an installation",
    ".venv/bin/pip": "an installation",
}


def commands() -> dict[str, str]:
    """The commands of the README, then of the other pages, each once, with the page that has it first."""
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    found: dict[str, str] = {}
    for page in pages:
        for block in re.findall(r"^```console\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                if line.startswith("$ "):
                    found.setdefault(line[2:].split("  #")[0].strip(), page.name)
    return found


def runnable(*, tutorial: bool) -> list[str]:
    return [
        command
        for command, page in commands().items()
        if (page == TUTORIAL) == tutorial and not any(command.startswith(name) for name in NOT_HERE)
    ]


def run(command: str, folder: Path, environment: Mapping[str, str], *, ok: bool = True) -> str:
    """Runs a command as a person types it; `dg` in a process that has imported it already."""
    program, *arguments = shlex.split(command)
    if program == "dg":
        done = forking.dg().run(arguments, cwd=folder, env=environment, timeout=300)
    else:
        here = sys.executable if program == "python" else str(Path(sys.executable).parent / program)
        done = subprocess.run(
            [here, *arguments], cwd=folder, env=environment, capture_output=True, check=False, timeout=300
        )
    output = (done.stdout + done.stderr).decode()
    assert (done.returncode == 0) == ok, f"{command}\n{output}"
    return output


def test_the_commands_of_the_pages_run_in_the_example(
    example: Path, monkeypatch: pytest.MonkeyPatch, materialized: Callable[[], list[tuple[str, str | None]]]
):
    monkeypatch.setenv("PYTHONPATH", str(example))  # stands for an installed project
    lines = runnable(tutorial=False)
    assert {line.split()[0] for line in lines} == {"dg", "python"}
    # What scaffolds adds a component that owns what another owns already.
    scaffold = [line for line in lines if line.startswith("dg scaffold")]
    said, built = {}, {}
    for line in lines:
        if line not in scaffold:
            before = len(materialized())
            said[line] = run(line, example, os.environ)
            built[line] = materialized()[before:]
    assert "no mistakes" in said["python -m dagster_rocky check"]
    daily = 'dg launch --assets "key:flights/marts/daily_flights"'
    assert built[f"{daily} --partition 2013-07-04"] == [("flights/marts/daily_flights", "2013-07-04")]
    assert built[f"{daily} --partition-range 2013-07-01...2013-07-03"] == [
        ("flights/marts/daily_flights", f"2013-07-0{day}") for day in (1, 2, 3)
    ]
    with opened(example / "flights.duckdb", read_only=True) as connection:
        of_day = "SELECT SUM(flights) FROM marts.daily_flights WHERE flight_day = '2013-07-04'"
        assert connection.execute(of_day).fetchall() == [(737,)]
    for line in scaffold:
        run(line, example, os.environ)
    assert (example / "nyc_flights" / "defs" / "flights" / "defs.yaml").is_file()
    run("dg check yaml", example, os.environ)


def test_the_tutorial_ends_with_a_failed_check_and_its_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    project = tmp_path / "town"
    package = project / "town"
    (package / "defs").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "town"\nversion = "0"\n[tool.dg]\ndirectory_type = "project"\n'
        '[tool.dg.project]\nroot_module = "town"\nregistry_modules = ["town.components.*"]\n'
    )
    (package / "__init__.py").touch()
    (package / "definitions.py").write_text(
        "from pathlib import Path\n\nimport dagster as dg\n\n\n@dg.definitions\ndef defs():\n"
        "    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)\n"
        "    return dg.Definitions.merge(loaded, dg.Definitions(executor=dg.in_process_executor))\n"
    )
    home = make_home(project / ".dagster_home")
    places = [str(forking.rocky_local().script.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(places))
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    page = (REPOSITORY / "docs" / TUTORIAL).read_text()

    *first, mended = runnable(tutorial=True)
    for command in first:
        run(command, project, environment)
    model = next(project.rglob("station_balance.sql"))
    whole = model.read_text()
    assert "departures" in whole
    model.write_text(whole.replace("departures", "trips"))
    failed = run(mended, project, environment, ok=False)
    (told,) = re.findall(r"^```text\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert told.splitlines()[-1] in failed
    model.write_text(whole)
    run(mended, project, environment)


def test_an_editor_completes_the_yaml(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    code = tmp_path / "bin" / "code"
    code.parent.mkdir()
    code.write_text('#!/bin/sh\n[ "$1" = --list-extensions ] && echo redhat.vscode-yaml\nexit 0\n')
    code.chmod(0o755)
    monkeypatch.setenv("PATH", f"{code.parent}{os.pathsep}{os.environ['PATH']}")
    run("dg utils configure-editor vscode", example, {**os.environ, "HOME": str(tmp_path)})
    schema = json.loads((example / ".dg" / "schema.json").read_text())
    offers = jsonschema.validators.validator_for(schema)(schema)
    for file in (example / "nyc_flights" / "defs").glob("*/defs.yaml"):
        written = yaml.safe_load(file.read_text())
        offers.validate(written)
        written["attributes"]["paralelism"] = 2
        assert not offers.is_valid(written)
    offered = schema["$defs"]["RockyComponentModel"]["properties"]
    assert [name for name, field in offered.items() if not field.get("description")] == []


def test_the_dagster_yaml_of_the_deployment_page_is_one():
    page = (REPOSITORY / "docs" / "deployment.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    (written,) = [block for block in blocks if "type" not in block]
    from dagster._config import validate_config
    from dagster._core.instance.config import dagster_instance_config_schema

    checked = validate_config(dagster_instance_config_schema(), written)
    assert checked.success, checked.errors


def test_the_image_of_the_deployment_page_installs_what_is_built_here():
    page = (REPOSITORY / "docs" / "deployment.md").read_text()
    (image,) = re.findall(r"```dockerfile\n(.*?)```", page, re.DOTALL)
    names = set(re.findall(r"dagster_rocky_component-[\w.-]+\.whl", image))
    assert names == set(
        re.findall(r"dagster_rocky_component-[\w.-]+\.whl", (REPOSITORY / "README.md").read_text())
    )
    assert "RUN dg utils refresh-defs-state" in image
    steps = [line for line in image.splitlines() if line.startswith(("COPY .", "RUN"))]
    assert [line.split()[-1] for line in steps[-3:]] == ["/app", ".", "refresh-defs-state"]
    assert "-e" in steps[-2].split()  # else the state is written beside a copy, which nothing loads
