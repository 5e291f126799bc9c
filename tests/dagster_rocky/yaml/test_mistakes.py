"""Plausible mistakes in a `defs.yaml`: each is told with file, line, field, and what would be right."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner
from dagster.components.testing import create_defs_folder_sandbox

from dagster_rocky import RockyComponent
from dagster_rocky.__main__ import main
from dagster_rocky.yaml.mistakes import WrongYaml, near
from support.recorded import ENGINE, copy_project

MISTAKES = yaml.safe_load((Path(__file__).parent / "mistakes.yaml").read_text())


class Home:
    """A `dg` project with one component, whose state is there, so that nothing is asked of an engine."""

    def __init__(self, sandbox) -> None:
        self.sandbox = sandbox
        self.folder = sandbox.defs_folder_path / "buoys"

    def write(self, text: str, name: str = "buoys") -> Path:
        """Writes a component's attributes, as they stand in its YAML."""
        file = self.sandbox.defs_folder_path / name / "defs.yaml"
        file.parent.mkdir(exist_ok=True)
        body = "".join(f"  {line}\n" for line in text.splitlines())
        engine = "" if "binary_path" in text else f"  binary_path: {ENGINE}\n"
        file.write_text(f"type: dagster_rocky.RockyComponent\nattributes:\n{body}{engine}")
        return file

    def said(self) -> str:
        """What Dagster's loading ends with, with the paths as the person sees them from the file."""
        with pytest.raises(Exception, match=r".") as caught, self.sandbox.build_all_defs():
            pass
        error: BaseException | None = caught.value
        while error is not None and not isinstance(error, WrongYaml):
            error = error.__cause__ or error.__context__
        assert error is not None, caught.value
        places = {self.folder: ".", self.sandbox.defs_folder_path: ".."}
        text = str(error)
        for path, shown in places.items():
            text = text.replace(str(path), shown)
        return text


@pytest.fixture(scope="module")
def home(snapshots) -> Iterator[Home]:
    with create_defs_folder_sandbox() as sandbox:
        made = Home(sandbox)
        copy_project("chained", made.folder)
        file = made.write("mode: buffered")
        with sandbox.build_component_tree() as tree:
            key = tree.load_component(file.parent).defs_state_config.key
            path = dg.components.utils.project_paths.get_local_state_path(key, sandbox.project_root)
        path.parent.mkdir(parents=True, exist_ok=True)
        snapshots("chained").write(path)
        yield made


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: " ".join(case["yaml"].split())[:60])
def test_a_mistake_is_told_with_its_place_and_its_way_out(home, case, monkeypatch):
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    home.write(case["yaml"])
    assert home.said().splitlines() == case["said"].splitlines()


def test_there_are_forty_of_them():
    assert len(MISTAKES) >= 40
    assert len({case["yaml"] for case in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ env.NO_SUCH_VARIABLE or 'buffered' }}", "buffered"),
        ("{{ env.NO_SUCH_VARIABLE | default('pipes') }}", "pipes"),
        ("{{ env('NO_SUCH_VARIABLE', 'pipes') }}", "pipes"),
    ],
)
def test_a_variable_may_have_a_default(home, template, value):
    file = home.write(f'mode: "{template}"')
    with home.sandbox.build_component_tree() as tree:
        assert tree.load_component(file.parent).mode == value


def test_the_engine_may_be_missing_where_that_is_said(home):
    home.write("binary_path: no-such-engine\nallow_missing_binary: true")
    with home.sandbox.build_all_defs() as defs:
        assert defs.resolve_asset_graph().materializable_asset_keys


def test_two_components_with_one_table_are_told_apart_and_how(home):
    home.write("pipelines: [intake]")
    other = home.write("config_path: ../buoys/rocky.toml", name="other")
    try:
        with home.sandbox.build_component_tree() as tree:
            component = tree.load_component(other.parent)
            path = dg.components.utils.project_paths.get_local_state_path(
                component.defs_state_config.key, home.sandbox.project_root
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(next(path.parents[1].glob("*buoys*/state")).read_bytes())
        assert home.said() == (
            "../other/defs.yaml:2: duckdb/atlantic/north/iceland/waves/readings and 3 more belongs to ./defs.yaml:2 "
            "already. Give each table to one of the two with `pipelines`, `filters` or `models`, or give this "
            "component keys of its own: translation: {key_prefix: again}"
        )
        other.write_text(other.read_text() + "  translation: {key_prefix: again}\n")
        with home.sandbox.build_all_defs() as defs:
            assert (
                dg.AssetKey(["again", "buoys", "shaped", "wave_all"])
                in defs.resolve_asset_graph().get_all_asset_keys()
            )
    finally:
        other.unlink()
        other.parent.rmdir()


def test_a_filter_that_fits_nothing_is_a_warning_with_the_near_one(home, caplog):
    home.write("filters: [fleet=pacific, fleet=atlantik]")
    with caplog.at_level(logging.WARNING), home.sandbox.build_all_defs():
        pass
    assert "no table fits the filter 'fleet=atlantik'. Did you mean `fleet=atlantic`?" in caplog.text
    assert "defs.yaml:3: filters[1]: " in caplog.text


def test_the_schema_for_editors_is_the_strict_one():
    strict = RockyComponent.model().model_json_schema()
    assert RockyComponent.get_model_cls().model_json_schema() == strict


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("timeout", ["env", "timeout_seconds"], "timeout_seconds"),
        ("Landing", ["landing", "marts"], "landing"),
        ("x", ["xylophone"], None),
        ("colour", ["mode", "run"], None),
    ],
)
def test_the_near_one(word, known, meant):
    assert near(word, known) == meant


PYPROJECT = (
    '[project]\nname = "p"\n[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{}"\n'
)


@pytest.fixture
def files(tmp_path, request, snapshots) -> Path:
    """A project with three components of one type and a file that is no YAML; its folder of definitions."""
    module = f"checked_{abs(hash(request.node.name))}"
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.format(module))
    defs = tmp_path / module / "defs"
    defs.mkdir(parents=True)
    for package in (defs.parent, defs):
        (package / "__init__.py").touch()
    copy_project("chained", tmp_path / "project")
    for name, line in (("a", "paralelism: 4"), ("b", "run: {timeout: 3}"), ("c", "mode: buffered")):
        (defs / name).mkdir()
        (defs / name / "defs.yaml").write_text(
            f"type: dagster_rocky.RockyComponent\nattributes:\n  {line}\n  config_path: ../../../project/rocky.toml\n"
        )
    return defs


def check(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and what is printed, with paths as they are seen from the definitions."""
    done = CliRunner().invoke(main, ["check", "--project", str(folder), *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output.replace(f"{folder}/", "")


def test_check_looks_at_every_file(files):
    (files / "c" / "defs.yaml").unlink()
    assert check(files) == (
        1,
        "a/defs.yaml:3: paralelism: there is no such field. Did you mean `parallelism`?\n"
        "b/defs.yaml:3: run.timeout: there is no such field. Did you mean `timeout_seconds`?\n",
    )
    code, output = check(files, "--json")
    said = json.loads(output)
    assert (code, said["files"]) == (1, ["a/defs.yaml", "b/defs.yaml"])
    assert said["findings"][0] == {
        "file": "a/defs.yaml",
        "line": 3,
        "field": "paralelism",
        "said": "there is no such field. Did you mean `parallelism`?",
        "level": "error",
    }


A_COMPONENT = "type: dagster_rocky.RockyComponent"
NO_SUCH_TYPE = "dagster_rocky has no component 'RockyComponnt'. Did you mean `RockyComponent`?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type: dagster_rocky.RockyComponnt\n", f"1: type: {NO_SUCH_TYPE}"),
        (
            "type: dagster_rocky.RockyComponent\natributes: {}\n",
            "2: atributes: there is no such field. Did you mean `attributes`?",
        ),
        ("attributes: {}\n", "1: type: is missing. For example: type: dagster_rocky.RockyComponent"),
        ("- type: x\n", "1: a component is a mapping: type: dagster_rocky.RockyComponent"),
        ("\n", f"1: the file is empty. A component begins with: {A_COMPONENT}"),
        (f"{A_COMPONENT}\n---\n- 1\n", f"1: a component is a mapping: {A_COMPONENT}"),
        (
            f"{A_COMPONENT}\nattributes:\n  - mode: pipes\n",
            "2: attributes: must be a mapping, not a list. For example: attributes: {config_path: rocky.toml}",
        ),
        (
            "type: dagster_rockey.RockyComponent\n",
            "1: type: there is no module 'dagster_rockey'. Did you mean `dagster_rocky`?",
        ),
        (
            f"{A_COMPONENT}\nattributes:\n  mode: pipes\n  mode: buffered\n",
            "4: mode: is there already, in line 3: leave one of them out.",
        ),
        (
            f"{A_COMPONENT}\nattributes:\n  checks:\n    overrides:\n      a: {{}}\n      a: {{}}\n",
            "6: checks.overrides.a: is there already, in line 5: leave one of them out.",
        ),
        (
            f"{A_COMPONENT}\nattributes:\n  schedules:\n    - {{name: a, name: b}}\n",
            "4: schedules[0].name: is there already, in line 4: leave one of them out.",
        ),
        (
            f"{A_COMPONENT}\nattributes:\n  state_path: !env STATE\n",
            "3: state_path: !env is a tag that Dagster does not know: leave it out.",
        ),
        (
            f"{A_COMPONENT}\nattributes: !include other.yaml\n",
            "2: !include is a tag that Dagster does not know: leave it out.",
        ),
        (
            f"{A_COMPONENT}\nattributes:\n  partitions:\n    end: 2025-13-01\n",
            "4: partitions.end: 2025-13-01 is no date: month must be in 1..12.",
        ),
        (
            f"{A_COMPONENT}\nattributes:\n  mode: pipes\n   run: {{}}\n",
            "4: this is no YAML: mapping values are not allowed here.",
        ),
        ("type: x\na:\n\tb: c\n", "3: this is no YAML: found character '\\t' that cannot start any token."),
    ],
)
def test_check_says_what_is_wrong_with_a_file(files, text, said):
    (files / "b" / "defs.yaml").write_text(text)
    assert check(files) == (1, f"b/defs.yaml:{said}\n")


def test_check_says_that_a_file_is_no_utf_8(files):
    (files / "b" / "defs.yaml").write_bytes(f"{A_COMPONENT}\n# gr\u00f6\u00dfe\n".encode("latin-1"))
    assert check(files) == (1, "b/defs.yaml:2: this is no text in UTF-8: save the file as UTF-8.\n")


def test_check_is_content_and_warns(files, monkeypatch, snapshots):
    for name in ("a", "b"):
        (files / name / "defs.yaml").unlink()
    file = files / "c" / "defs.yaml"
    file.write_text(
        file.read_text() + f"  binary_path: {ENGINE}\n  filters: [fleet=atlantik, fleet=pacific]\n"
    )
    code, output = check(files)
    assert code == 0
    assert output == (
        "c/defs.yaml:6: filters[0]: no table fits the filter 'fleet=atlantik'. Did you mean `fleet=atlantic`? "
        "(a warning)\n"
    )
    file.write_text(file.read_text().replace("fleet=atlantik, ", ""))
    assert check(files) == (0, "1 files, no mistakes.\n")


def test_check_outside_of_a_project_is_one_line(tmp_path):
    code, output = check(tmp_path)
    assert code == 1
    assert output.startswith("Error: Could not find config file")
