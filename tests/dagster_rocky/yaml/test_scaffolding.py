"""`dg scaffold defs dagster_rocky.RockyComponent`: what it writes, and that what it writes loads and runs."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox

from dagster_rocky import RockyComponent
from dagster_rocky.yaml.scaffolding import RockyComponentScaffolder, RockyScaffoldParams, templates_folder
from support import forking
from support.homes import make_home
from support.recorded import ENGINE

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
    monkeypatch.setenv("DAGSTER_HOME", str(make_home(tmp_path / "home")))
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
    scaffold(tmp_path / "x", binary_path="rocky-local", mode="buffered")
    RockyComponentScaffolder().scaffold(
        dg.ScaffoldRequest(
            type_name="dagster_rocky.RockyComponent",
            target_path=tmp_path / "x" / "defs.yaml",
            scaffold_format="yaml",
            project_root=tmp_path,
            params=RockyScaffoldParams(binary_path="rocky-local", mode="pipes"),
            append=True,
        )
    )
    first, second = yaml.safe_load_all((tmp_path / "x" / "defs.yaml").read_text())
    assert (first["attributes"]["mode"], second["attributes"]["mode"]) == ("buffered", "pipes")
    assert second["attributes"]["config_path"] == "../rocky.toml"


def test_every_attribute_in_the_yaml_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "rocky.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "x", binary_path="rocky-local")
    lines = (tmp_path / "x" / "defs.yaml").read_text().splitlines()
    attributes = [i for i, line in enumerate(lines) if re.match(r"  (# )?[a-z_]+:($| [^ ])", line)]
    names = {lines[i].strip("# ").partition(":")[0] for i in attributes} - {"buffered", "streaming", "pipes"}
    assert names == {
        "config_path", "binary_path", "mode", "filters", "pipelines", "partitions", "parallelism", "key_style",
        "schedules", "translation",
    }  # fmt: skip
    assert all(lines[i - 1].startswith("  # ") for i in attributes)


def test_a_binary_path_is_rewritten_but_a_name_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "rocky.toml").write_text("")
    engine = tmp_path / "bin" / "rocky"
    engine.parent.mkdir()
    engine.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "a" / "b", binary_path="bin/rocky")
    scaffold(tmp_path / "c", binary_path="rocky-local")
    scaffold(tmp_path / "d", binary_path=str(engine))
    paths = [
        yaml.safe_load((tmp_path / folder / "defs.yaml").read_text())["attributes"]["binary_path"]
        for folder in ("a/b", "c", "d")
    ]
    assert paths == ["../../bin/rocky", "rocky-local", str(engine)]


def test_the_engine_on_the_path_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "rocky.toml").write_text("")
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
        ({"filter": ["airport"]}, "--filter must be key=value, for example airport=jfk, not 'airport'"),
        ({"filter": ["=jfk"]}, "--filter must be key=value, for example airport=jfk, not '=jfk'"),
        (
            {"mode": "stream"},
            "--mode must be one of buffered, streaming, pipes, not 'stream'. Did you mean `streaming`?",
        ),
        ({"template": "tenant"}, "--template must be one of starter, replication, models, tenants, not 'tenant'. "
         "Did you mean `tenants`?"),
        ({"config_path": "."}, "--config-path must name the project's TOML file, not '.'. Try 'rocky.toml'"),
        ({"config_path": "rocky.yaml"}, "--config-path must name the project's TOML file, not 'rocky.yaml'. "
         "Try 'rocky.yaml/rocky.toml'"),
        ({"config": "rocky.toml"}, "there is no option --config. Did you mean `config_path`?"),
        ({"binary_path": "./no/rocky"}, "--binary-path ./no/rocky is no file that can be run. Install the rocky "
         "engine and put it on the PATH, or set binary_path to where it is. To try things out without it, install "
         "this package with its extra `local` and set binary_path: rocky-local."),
    ],
)  # fmt: skip
def test_wrong_options_are_refused_in_one_line(params: dict[str, object], said: str):
    with pytest.raises(click.ClickException) as refused:
        RockyScaffoldParams.model_validate(params)
    assert refused.value.message == said


def test_a_filter_that_the_written_project_does_not_have_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        click.ClickException, match=r"--filter shop=7: there is no .*town=porto.*--config-path"
    ):
        scaffold(tmp_path / "x", filter=["shop=7"], binary_path="rocky-local")
    assert not list((tmp_path / "x").iterdir())


def test_nothing_is_overwritten(tmp_path, monkeypatch):
    (tmp_path / "rocky.toml").write_text("# mine\n")
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "defs.yaml").write_text("# mine\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.ClickException, match="is there already and stays as it is"):
        scaffold(folder, binary_path="rocky-local")
    assert (folder / "defs.yaml").read_text() == (tmp_path / "rocky.toml").read_text() == "# mine\n"


def test_files_of_a_project_that_are_there_stay(tmp_path, monkeypatch):
    (tmp_path / "x" / "models").mkdir(parents=True)
    (tmp_path / "x" / "models" / "stg_rentals.sql").write_text("SELECT 1 AS mine\n")
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "x", binary_path="rocky-local", template="models")
    assert (tmp_path / "x" / "models" / "stg_rentals.sql").read_text() == "SELECT 1 AS mine\n"
    assert (tmp_path / "x" / "models" / "stg_stations.sql").is_file()


def test_a_second_component_has_keys_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "rocky.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "defs" / "first", binary_path="rocky-local")
    scaffold(tmp_path / "defs" / "second", binary_path="rocky-local")
    scaffold(tmp_path / "defs" / "third", "python", binary_path="rocky-local")
    attributes = [
        yaml.safe_load((tmp_path / "defs" / name / "defs.yaml").read_text())["attributes"]
        for name in ("first", "second")
    ]
    assert "translation" not in attributes[0]
    assert attributes[1]["translation"] == {"key_prefix": "second"}
    assert 'with_prefix("third")' in (tmp_path / "defs" / "third" / "component.py").read_text()


def test_the_data_that_cannot_be_loaded_is_said_with_the_command(tmp_path, monkeypatch, capsys):
    engine = tmp_path / "engine"
    engine.write_text("#!/bin/sh\necho 'Error: no such thing' >&2\nexit 1\n")
    engine.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    scaffold(tmp_path / "x", binary_path=str(engine))
    assert (
        f"The source tables are not loaded: Error: no such thing. Run `{engine} -c rocky.toml seed --pipeline marts` "
        f"in {tmp_path / 'x'}, then start."
    ) in capsys.readouterr().out


def test_the_templates_are_where_the_wheel_puts_them():
    config = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    included = config["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"component_templates": "dagster_rocky/component_templates"}
    assert {path.name for path in templates_folder().iterdir()} >= {"defs.yaml.jinja", "component.py.jinja"}


DAYS = {
    "dagster/asset_partition_range_start": "2025-06-01",
    "dagster/asset_partition_range_end": "2025-06-02",
}
TOWNS = {"dagster/asset_partition_range_start": "braga", "dagster/asset_partition_range_end": "porto"}
TEMPLATES = {
    # template: tags of the run, assets, materializations
    "starter": (DAYS, 15, 16),
    "replication": ({}, 10, 10),
    "models": (DAYS, 10, 11),
    "tenants": (TOWNS, 7, 9),
}


@pytest.fixture(scope="module", params=TEMPLATES)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A template and a folder of definitions in which it is written, in both formats of a component."""
    defs = tmp_path_factory.mktemp(request.param) / "defs"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(defs.parent)
        patch.setenv("PATH", f"{ENGINE.parent}{os.pathsep}{os.environ['PATH']}")
        scaffold(defs / "shop", template=request.param, binary_path="rocky-local")
        scaffold(
            defs / "again", "python", config_path="defs/shop/rocky.toml", template=request.param,
            binary_path="rocky-local",
        )  # fmt: skip
    return request.param, defs


@pytest.mark.timeout(300)
def test_every_template_is_built_in_every_mode(written, caplog):
    template, defs = written
    tags, assets, built = TEMPLATES[template]
    with create_defs_folder_sandbox() as sandbox:
        folder = sandbox.defs_folder_path / "shop"
        shutil.copytree(defs / "shop", folder)
        yaml_file = folder / "defs.yaml"
        for mode in ("buffered", "streaming", "pipes"):
            yaml_file.write_text(re.sub(r"(?m)^  mode: \w+", f"  mode: {mode}", yaml_file.read_text()))
            with sandbox.build_all_defs() as loaded, dg.DagsterInstance.ephemeral() as instance:
                made = [one for one in loaded.assets or [] if isinstance(one, dg.AssetsDefinition)]
                assert sum(len(one.keys) for one in made) == assets
                result = dg.materialize(made, instance=instance, tags=tags)
                told = [e for e in result.all_events if e.event_type_value == "ASSET_MATERIALIZATION"]
                checks = [
                    e.asset_check_evaluation_data
                    for e in result.all_events
                    if e.event_type_value == "ASSET_CHECK_EVALUATION"
                ]
            assert len(told) == built, mode
            failed = {(check.check_name, check.severity.value) for check in checks if not check.passed}
            assert failed == (set() if template == "models" else {("brought_back", "WARN")}), mode
    assert [record.getMessage() for record in caplog.records if record.name == "dagster_rocky"] == []


def test_the_python_of_every_template_is_the_same_component(written):
    _, defs = written
    names: dict[str, object] = {"__file__": str(defs / "again" / "component.py")}
    exec(compile((defs / "again" / "component.py").read_text(), "component.py", "exec"), names)
    component = names["load"](None)  # type: ignore[operator]
    attributes = yaml.safe_load((defs / "shop" / "defs.yaml").read_text())["attributes"]
    assert component.mode == attributes["mode"]
    assert Path(component.config_path).resolve() == (defs / "shop" / "rocky.toml").resolve()
    key = component.translation(dg.AssetSpec("a"), None).key
    assert key == dg.AssetKey(["again", "a"])


def test_every_commented_option_is_valid(written):
    _, defs = written
    everything = uncommented((defs / "shop" / "defs.yaml").read_text())
    attributes = yaml.safe_load(everything)["attributes"]
    assert set(attributes) >= {"filters", "pipelines", "parallelism", "translation"}
    RockyComponent.model().model_validate(attributes)


def test_what_a_run_leaves_behind_is_ignored(written):
    _, defs = written
    shop = defs / "shop"
    subprocess.run(["git", "init", "-q", "."], cwd=shop, check=True)
    listed = subprocess.run(
        ["git", "status", "--short", "-uall"], cwd=shop, capture_output=True, text=True, check=True
    ).stdout
    left = [
        line
        for line in listed.splitlines()
        if Path(line[3:]).suffix not in {".sql", ".toml", ".csv", ".yaml"}
    ]
    assert left == ["?? .gitignore"]
    shutil.rmtree(shop / ".git")


@pytest.mark.timeout(300)
def test_dg_scaffolds_checks_and_says_what_its_options_are(project: Path):
    command = ("scaffold", "defs", "dagster_rocky.RockyComponent", "shop")
    shown = " ".join(dg_command(project, *command[:3], "--help").split())
    for name in RockyScaffoldParams.model_fields:
        assert f"`--{name.replace('_', '-')}`: " in shown
    said = dg_command(project, *command, "--mode", "stream", ok=False)
    assert "Error: --mode must be one of buffered, streaming, pipes, not 'stream'." in said
    assert not (project / "fresh" / "defs" / "shop").exists()
    said = dg_command(project, *command, "--binary-path", "rocky-local", "--mode", "buffered")
    assert "dg launch --assets kind:rocky --partition-range 2025-06-01...2025-06-30" in said
    again = dg_command(project, *command[:3], "again", "--template", "replication")
    assert """dg launch --assets 'key:"again/*"'\n""" in again
    assert "arn" not in dg_command(project, "check", "defs")


@pytest.mark.parametrize("odd", ["a{%b", "a{{b}}", "a{#b", "a b'c"])
def test_braces_in_a_path_are_no_template(tmp_path, monkeypatch, odd):
    config = tmp_path / odd / "rocky.toml"
    config.parent.mkdir()
    config.write_text("")
    engine = config.parent / "engine"
    engine.touch(mode=0o755)
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
