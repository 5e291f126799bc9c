"""`dg scaffold defs dagster_rocky.RockyComponent`: what it writes, and that what it writes loads and runs."""

import os
import re
import shutil
import tomllib
from pathlib import Path

import click
import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from pydantic import ValidationError

from dagster_rocky.yaml.scaffolding import RockyComponentScaffolder, RockyScaffoldParams, templates_folder
from support import forking

PYPROJECT = """
[project]
name = "fresh"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = []

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "fresh"
code_location_target_module = "fresh.definitions"
"""

DEFINITIONS = """
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new `dg` project with nothing in it, and a Dagster home of its own."""
    root = tmp_path / "fresh"
    (root / "fresh" / "defs").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "fresh" / "__init__.py").write_text("")
    (root / "fresh" / "definitions.py").write_text(DEFINITIONS)
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return root


def dg_command(project: Path, *arguments: str, ok: bool = True) -> str:
    """Run `dg` in the project and give back all that it printed."""
    done = forking.dg().run(arguments, cwd=project, env=os.environ, timeout=120)
    output = (done.stdout + done.stderr).decode()
    assert (done.returncode == 0) == ok, output
    return output


def scaffold(folder: Path, scaffold_format: str = "yaml", **params: object) -> None:
    """Scaffold into the folder as `dg` does, without starting it."""
    folder.mkdir(parents=True, exist_ok=True)
    RockyComponentScaffolder().scaffold(
        dg.ScaffoldRequest(
            type_name="dagster_rocky.RockyComponent",
            target_path=folder,
            scaffold_format=scaffold_format,  # type: ignore[arg-type]
            project_root=folder.parent,
            params=RockyScaffoldParams.model_validate(params),
        )
    )


def uncommented(text: str) -> str:
    """The YAML with every commented-out option switched on."""
    return re.sub(r"^  # (?=[a-z_]+:|  )(?!buffered|streaming|pipes)", "  ", text, flags=re.MULTILINE)


def test_all_options_are_in_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wh").mkdir()
    (tmp_path / "wh" / "rocky.toml").write_text("# mine\n")
    scaffold(
        tmp_path / "defs" / "x",
        config_path="wh/rocky.toml",
        binary_path="rocky-local",
        mode="pipes",
        filter=["airport=jfk", "airport=l'\"ga"],
    )
    document = yaml.safe_load((tmp_path / "defs" / "x" / "defs.yaml").read_text())
    assert document == {
        "type": "dagster_rocky.RockyComponent",
        "attributes": {
            "config_path": "../../wh/rocky.toml",
            "binary_path": "rocky-local",
            "mode": "pipes",
            "filters": ["airport=jfk", "airport=l'\"ga"],
        },
    }
    assert (tmp_path / "wh" / "rocky.toml").read_text() == "# mine\n"
    assert not (tmp_path / "wh" / "models").exists()


def test_a_second_component_is_appended_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "rocky.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "x", binary_path="rocky", mode="buffered")
    RockyComponentScaffolder().scaffold(
        dg.ScaffoldRequest(
            type_name="dagster_rocky.RockyComponent",
            target_path=tmp_path / "x" / "defs.yaml",
            scaffold_format="yaml",
            project_root=tmp_path,
            params=RockyScaffoldParams(binary_path="rocky", mode="pipes"),
            append=True,
        )
    )
    first, second = yaml.safe_load_all((tmp_path / "x" / "defs.yaml").read_text())
    assert (first["attributes"]["mode"], second["attributes"]["mode"]) == ("buffered", "pipes")
    assert second["attributes"]["config_path"] == "../rocky.toml"


def test_every_attribute_in_the_yaml_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "x", binary_path="rocky-local")
    lines = (tmp_path / "x" / "defs.yaml").read_text().splitlines()
    attributes = [i for i, line in enumerate(lines) if re.match(r"  (# )?[a-z_]+:($| [^ ])", line)]
    names = {lines[i].strip("# ").partition(":")[0] for i in attributes} - {"buffered", "streaming", "pipes"}
    assert names == {
        "config_path", "binary_path", "mode", "filters", "pipelines", "parallelism", "translation"
    }  # fmt: skip
    assert all(lines[i - 1].startswith("  # ") for i in attributes)


def test_a_binary_path_is_rewritten_but_a_name_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "a" / "b", binary_path="bin/rocky")
    scaffold(tmp_path / "c", binary_path="rocky")
    scaffold(tmp_path / "d", binary_path="/opt/rocky")
    paths = [
        yaml.safe_load((tmp_path / folder / "defs.yaml").read_text())["attributes"]["binary_path"]
        for folder in ("a/b", "c", "d")
    ]
    assert paths == ["../../bin/rocky", "rocky", "/opt/rocky"]


def test_the_engine_on_the_path_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    scaffold(tmp_path / "without")
    assert "`rocky` is not on PATH" in capsys.readouterr().out
    engine = tmp_path / "bin" / "rocky"
    engine.parent.mkdir()
    engine.write_text("#!/bin/sh\n")
    engine.chmod(0o755)
    scaffold(tmp_path / "with")
    assert "not on PATH" not in capsys.readouterr().out
    assert 'binary_path: "rocky-local"' in (tmp_path / "without" / "defs.yaml").read_text()
    assert 'binary_path: "rocky"' in (tmp_path / "with" / "defs.yaml").read_text()


def test_the_rocky_toml_of_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "rocky.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "x")
    assert 'config_path: "../rocky.toml"' in (tmp_path / "x" / "defs.yaml").read_text()
    assert not (tmp_path / "x" / "rocky.toml").exists()


def test_the_starter_speaks_of_the_filters_components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "x", filter=["region=eu", "table=orders", "shop=7", "region=us"])
    config = tomllib.loads((tmp_path / "x" / "rocky.toml").read_text())
    assert config["pipeline"]["landing"]["source"]["schema_pattern"]["components"] == ["region", "shop"]
    assert config["pipeline"]["landing"]["target"]["schema_template"] == "lake__{region}__{shop}"
    assert "DAGSTER_ROCKY_HOOK_FILE" in config["hook"]["on_after_materialize"][0]["command"]


def test_paths_with_spaces_quotes_and_unicode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "wär 'ho\"use"
    folder.mkdir()
    (folder / "rocky.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "x", config_path=str(folder / "rocky.toml"))
    written = yaml.safe_load((tmp_path / "x" / "defs.yaml").read_text())["attributes"]["config_path"]
    assert (tmp_path / "x" / written).resolve() == folder.resolve() / "rocky.toml"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"filter": ["airport"]}, "--filter must be key=value"),
        ({"filter": ["=jfk"]}, "--filter must be key=value"),
        ({"mode": "stream"}, "'buffered', 'streaming' or 'pipes'"),
        ({"config_path": "."}, "--config-path must name the project's TOML file"),
        ({"config": "rocky.toml"}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_options_are_refused(params: dict[str, object], said: str):
    with pytest.raises(ValidationError, match=re.escape(said)):
        RockyScaffoldParams.model_validate(params)


def test_the_templates_are_where_the_wheel_puts_them():
    config = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    included = config["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"component_templates": "dagster_rocky/component_templates"}
    assert {path.name for path in templates_folder().iterdir()} >= {"defs.yaml.jinja", "component.py.jinja"}


def test_dg_scaffold_takes_the_four_options(project: Path):
    said = dg_command(
        project, "scaffold", "defs", "dagster_rocky.RockyComponent", "hello",
        "--config-path", "wh/rocky.toml", "--binary-path", "rocky-local", "--mode", "buffered",
        "--filter", "region=eu", "--filter", "region=us",
    )  # fmt: skip
    assert "writing a starter project" in said
    written = yaml.safe_load((project / "fresh" / "defs" / "hello" / "defs.yaml").read_text())
    assert written["attributes"] == {
        "config_path": "../../../wh/rocky.toml",
        "binary_path": "rocky-local",
        "mode": "buffered",
        "filters": ["region=eu", "region=us"],
    }
    assert (project / "wh" / "models" / "hello.sql").is_file()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scaffold_format", ["yaml", "python"])
def test_a_scaffolded_component_loads_and_runs(project: Path, scaffold_format: str):
    dg_command(
        project, "scaffold", "defs", "dagster_rocky.RockyComponent", "hello",
        "--binary-path", "rocky-local", "--mode", "streaming", "--format", scaffold_format,
    )  # fmt: skip
    if scaffold_format == "yaml":
        dg_command(project, "check", "yaml")
    dg_command(project, "check", "defs")
    assert "warehouse/marts/hello" in dg_command(project, "list", "defs", "--json")
    said = dg_command(project, "launch", "--assets", "*")
    assert "RUN_SUCCESS" in said


def test_every_commented_option_is_valid(project: Path):
    dg_command(
        project, "scaffold", "defs", "dagster_rocky.RockyComponent", "hello", "--binary-path", "rocky-local"
    )  # fmt: skip
    file = project / "fresh" / "defs" / "hello" / "defs.yaml"
    everything = uncommented(file.read_text())
    assert set(yaml.safe_load(everything)["attributes"]) >= {
        "filters",
        "pipelines",
        "parallelism",
        "translation",
    }
    file.write_text(everything)
    dg_command(project, "check", "yaml")


def test_dg_scaffold_refuses_a_wrong_mode(project: Path):
    said = dg_command(
        project, "scaffold", "defs", "dagster_rocky.RockyComponent", "hello", "--mode", "stream", ok=False
    )
    assert "'buffered', 'streaming' or 'pipes'" in said
    assert not (project / "fresh" / "defs" / "hello").exists()


@pytest.mark.parametrize("odd", ["a{%b", "a{{b}}", "a{#b", "a b'c"])
def test_braces_in_a_path_are_no_template(tmp_path, monkeypatch, odd):
    config = tmp_path / odd / "rocky.toml"
    config.parent.mkdir()
    config.write_text("")
    engine = config.parent / "engine"
    engine.touch()
    folder = tmp_path / "defs" / "flights"
    monkeypatch.chdir(tmp_path)
    scaffold(folder, config_path=f"{odd}/rocky.toml", binary_path=f"{odd}/engine")
    with create_defs_folder_sandbox() as sandbox:
        written = sandbox.defs_folder_path / "flights"
        shutil.copytree(folder, written)
        with sandbox.build_component_tree() as tree:
            component = tree.load_component(written)
    beside = written.parent.parent / odd
    assert component.config_path == str(beside / "rocky.toml")
    assert component.binary_path == str(beside / "engine")


def test_a_template_for_the_binary_stays_one(tmp_path):
    (tmp_path / "rocky.toml").write_text("")
    scaffold(
        tmp_path / "flights", config_path=str(tmp_path / "rocky.toml"), binary_path="{{ env.ROCKY_BIN }}"
    )
    document = yaml.safe_load((tmp_path / "flights" / "defs.yaml").read_text())
    assert document["attributes"]["binary_path"] == "{{ env.ROCKY_BIN }}"


def test_a_path_that_is_not_utf_8_is_one_clear_error(tmp_path):
    config = Path(os.fsdecode(os.fsencode(tmp_path) + b"/fl\xfcge/rocky.toml"))
    config.parent.mkdir()
    config.write_text("")
    with pytest.raises(click.ClickException, match=r"fl.ge/rocky\.toml' is not UTF-8.*rename its folders"):
        scaffold(tmp_path / "flights", config_path=str(config))
