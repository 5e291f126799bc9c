"""From YAML to definitions: strict, described, several in one project, quick, and honest about its state."""

import json
import re
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from dagster.components.testing.test_cases import TestTranslation

import dagster_rocky
from dagster_rocky import RockyComponent, build_rocky_definitions, results
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.project.state import RefreshFailed, state_key
from support.recorded import ENGINE, copy_project


class Project:
    """A `dg` project in a temporary folder, with an engine that only notes that it was called."""

    def __init__(self, sandbox: Any, snapshots: Any) -> None:
        self.sandbox, self.snapshots = sandbox, snapshots
        self.root: Path = sandbox.project_root
        self.calls = self.root / "calls"
        self.engine = self.root / "engine"
        self.engine.write_text(f"#!/bin/sh\necho \"$*\" >> '{self.calls}'\necho 'Error: no' >&2\nexit 1\n")
        self.engine.chmod(0o755)

    def add(self, name: str, recorded: str = "chained", state: bool = True, **attributes: Any) -> Path:
        """A component with the files of a recorded project beside its YAML."""
        folder: Path = self.sandbox.defs_folder_path / name
        copy_project(recorded, folder)
        body = {"binary_path": str(self.engine), **attributes}
        document = {"type": "dagster_rocky.RockyComponent", "attributes": body}
        (folder / "defs.yaml").write_text(yaml.safe_dump(document))
        if state:
            self.snapshots(recorded).write(self.state_path(name))
        return folder

    def key(self, name: str, config: str | None = None) -> str:
        """The key of the component's state."""
        defs = self.sandbox.defs_folder_path
        module = f"{defs.parent.name}.defs"
        path = defs / name / (config or "rocky.toml")
        return state_key(
            "RockyComponent",
            name,
            module=module,
            project_root=self.root,
            config_path=path.parent.resolve() / path.name,
        )

    def state_path(self, name: str, config: str | None = None) -> Path:
        key = re.sub(r"[^A-Za-z0-9._-]", "__", self.key(name, config))
        path: Path = self.sandbox.defs_folder_path / ".local_defs_state" / key / "state"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def defs(self) -> Iterator[dg.Definitions]:
        with self.sandbox.build_all_defs() as defs:
            yield defs

    def asset_keys(self) -> set[str]:
        with self.defs() as defs:
            graph = defs.resolve_asset_graph()
            return {key.to_user_string() for key in graph.materializable_asset_keys}


@pytest.fixture
def project(snapshots) -> Iterator[Project]:
    with create_defs_folder_sandbox() as sandbox:
        yield Project(sandbox, snapshots)


@contextmanager
def refused(said: str) -> Iterator[None]:
    """Expects an error whose chain of causes, as `dg` shows it, says something."""
    with pytest.raises(Exception, match=r".") as caught:
        yield
    shown = "".join(traceback.format_exception(caught.value))
    assert re.search(said, shown), shown


def specs_of(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {
        spec.key.to_user_string(): spec
        for definition in defs.assets or []
        if isinstance(definition, dg.AssetsDefinition)
        for spec in definition.specs
    }


def test_three_lines_of_yaml_are_enough(project):
    project.add("buoys")
    assert "buoys/shaped/wave_all" in project.asset_keys()


def test_loading_with_a_state_starts_no_process(project):
    project.add("buoys")
    project.asset_keys()
    assert not project.calls.exists()


def test_a_missing_state_is_made_once_and_kept(project):
    project.add("buoys", state=False, binary_path=str(ENGINE))
    keys = project.asset_keys()
    assert "buoys/shaped/wave_all" in keys
    assert ProjectSnapshot.read(project.state_path("buoys")).engine_version
    document = project.sandbox.defs_folder_path / "buoys" / "defs.yaml"
    document.write_text(document.read_text().replace(str(ENGINE), str(project.engine)))
    assert project.asset_keys() == keys
    assert not project.calls.exists()


def test_a_project_that_cannot_be_asked_for_is_no_empty_graph(project):
    project.add("buoys", state=False)
    with refused(r"(?s)could not be refreshed.*Error: no"), project.defs():
        pass


def test_a_missing_config_names_the_field_and_the_path(project):
    project.add("buoys", config_path="rocky.tml")
    with refused(r"config_path: .*rocky\.tml does not exist"), project.defs():
        pass


def test_several_components_in_one_project_load_side_by_side(project):
    project.add("buoys")
    project.add("ferries", recorded="tenants")
    project.add("nested/ferries", recorded="marts")
    keys = project.asset_keys()
    assert {"buoys/shaped/wave_all", "duckdb/lagoon/fleet/vessels", "bakery/marts/dim_shop"} <= keys


def test_components_of_one_project_share_its_graph(project):
    folder = project.add("intake", pipelines=["intake"])
    shape = project.sandbox.defs_folder_path / "shape"
    shape.mkdir()
    body = {"binary_path": str(project.engine), "config_path": "../intake/rocky.toml", "pipelines": ["shape"]}
    (shape / "defs.yaml").write_text(
        yaml.safe_dump({"type": "dagster_rocky.RockyComponent", "attributes": body})
    )
    project.snapshots("chained").write(project.state_path("shape", "../intake/rocky.toml"))
    assert folder.is_dir()
    with project.defs() as defs:
        graph = defs.resolve_asset_graph()
        parents = graph.get(dg.AssetKey(["buoys", "shaped", "wave_all"])).parent_keys
        assert dg.AssetKey(["duckdb", "atlantic", "south", "waves", "readings"]) in parents
        assert all(graph.get(key).is_materializable for key in parents)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"mode": "streeming"}, "streeming"),
        ({"run": {"timeout": 3}}, r"run\.timeout: .* `timeout_seconds`"),
        ({"translation": {"key": "raw/{{ typo }}"}}, "`typo`"),
        ({"pipelines": ["{{ nothing }}"]}, "`nothing`"),
    ],
)
def test_a_mistake_is_an_error_that_names_it(project, attributes, said):
    project.add("buoys", **attributes)
    with refused(said), project.defs():
        pass


def test_an_undefined_variable_names_the_file_and_what_there_is(project):
    project.add("buoys", translation={"key": "raw/{{ typo }}"})
    with (
        refused(r"defs\.yaml:\d+: translation\.key: there is no variable `typo`\. There is: .*props"),
        project.defs(),
    ):
        pass


def test_environment_variables_work_in_templates(project, monkeypatch):
    monkeypatch.setenv("ONLY_PIPELINE", "intake")
    project.add("buoys", pipelines=["{{ env.ONLY_PIPELINE }}"])
    assert "buoys/shaped/wave_all" not in project.asset_keys()


def test_translation_is_applied_last_and_dependencies_follow_it(project):
    project.add(
        "buoys", translation={"key_prefix": "sea", "group_name": "all", "tags": {"x": "{{ props.kind }}"}}
    )
    with project.defs() as defs:
        specs = specs_of(defs)
        spec = specs["sea/buoys/shaped/wave_summary"]
        assert spec.group_name == "all"
        assert spec.tags["x"] == "model"
        assert spec.tags["audience"] == "captains"
        assert [dep.asset_key.to_user_string() for dep in spec.deps] == ["sea/buoys/shaped/wave_all"]


class TestTranslations(TestTranslation):
    """Dagster's own cases of what `translation` must be able to change."""

    def test_translation(self, project, attributes, assertion, key_modifier):
        project.add("buoys", translation=attributes)
        with project.defs() as defs:
            key = dg.AssetKey(["buoys", "shaped", "wave_summary"])
            if key_modifier:
                key = key_modifier(key)
            assert assertion(specs_of(defs)[key.to_user_string()])


def test_a_filter_that_no_table_fits_is_said(project, caplog):
    project.add("buoys", filters=["fleet=pacific", "fleet=atlantis"])
    assert "duckdb/pacific/west/wind/gusts" in project.asset_keys()
    assert "no table fits the filter 'fleet=atlantis'" in caplog.text
    assert "fleet=pacific" not in caplog.text


def test_an_empty_list_of_workspaces_may_be_meant(project):
    override = {"workspace_ids": [], "allow_empty_workspace_ids": True}
    project.add("buoys", run={"governance_override": override})
    assert project.asset_keys()


def test_a_linked_config_is_of_the_folder_that_it_is_linked_from(project, tmp_path):
    folder = project.add("buoys", state=False, binary_path=str(ENGINE))
    mounted = tmp_path / "..2026_11_26"
    mounted.mkdir()
    (folder / "rocky.toml").rename(mounted / "rocky.toml")
    (folder / "rocky.toml").symlink_to(mounted / "rocky.toml")
    assert "buoys/shaped/wave_all" in project.asset_keys()
    assert not list(mounted.glob("*.duckdb"))


def test_an_empty_models_folder_is_a_graph_without_models(project):
    folder = project.add("buoys", state=False, binary_path=str(ENGINE))
    for file in (folder / "models").iterdir():
        file.unlink()
    assert project.asset_keys()
    assert "buoys/shaped/wave_all" not in project.asset_keys()


def test_a_stale_state_is_said_in_log_and_metadata(project, caplog):
    folder = project.add("buoys")
    with (folder / "models" / "wave_all.sql").open("a") as file:
        file.write("-- changed\n")
    with project.defs() as defs:
        notes = {spec.metadata.get("rocky/state") for spec in specs_of(defs).values()}
    assert len(notes) == 1
    assert str(notes.pop()).startswith("stale: ")
    assert "refresh-defs-state" in caplog.text


@pytest.mark.parametrize("content", ['{"version": 1, "mod', "{}"])
def test_an_unreadable_state_is_made_anew(project, content):
    project.add("buoys", state=False, binary_path=str(ENGINE))
    project.state_path("buoys").write_text(content)
    assert "buoys/shaped/wave_all" in project.asset_keys()


def test_the_state_key_is_the_place_of_the_component_or_what_is_set(project):
    folder = project.add("deep/buoys")
    with project.sandbox.build_component_tree() as tree:
        component = tree.load_component(folder)
        assert component.defs_state_config.key == project.key("deep/buoys")
        package = project.sandbox.defs_folder_path.parent.name
        assert component.defs_state_config.key.startswith(f"RockyComponent[{package}/deep/buoys-")
    document = yaml.safe_load((folder / "defs.yaml").read_text())
    document["attributes"]["defs_state"] = {"management_type": "LOCAL_FILESYSTEM", "key": "mine"}
    (folder / "defs.yaml").write_text(yaml.safe_dump(document))
    with project.sandbox.build_component_tree() as tree:
        assert tree.load_component(folder).defs_state_config.key == "mine"


def test_two_components_in_one_file_have_two_keys(project):
    folder = project.add("buoys")
    one = (folder / "defs.yaml").read_text()
    (folder / "defs.yaml").write_text(f"{one}---\n{one}".replace("attributes:", "attributes:", 1))
    with project.sandbox.build_component_tree() as tree:
        keys = {component.defs_state_config.key for component in tree.get_all_components(RockyComponent)}
    assert len(keys) == 2


def test_a_failing_refresh_in_dev_keeps_the_graph_and_says_so(project, monkeypatch, caplog):
    project.add("buoys")
    before = project.state_path("buoys").read_bytes()
    monkeypatch.setenv("DAGSTER_IS_DEV_CLI", "1")
    with project.defs() as defs:
        note = specs_of(defs)["buoys/shaped/wave_all"].metadata["rocky/state"]
    assert note.startswith("refresh failed: ")
    assert "the last good one is kept" in caplog.text
    assert project.state_path("buoys").read_bytes() == before
    assert project.calls.exists()


def test_op_settings_and_retry_policy_reach_the_ops(project):
    project.add(
        "buoys",
        op={"name": "sail", "pool": "sea", "tags": {"a": "b"}},
        retry={"max_retries": 2, "delay_seconds": 5, "backoff": "exponential"},
    )
    with project.defs() as defs:
        ops = {definition.op.name: definition.op for definition in defs.assets or []}
    assert set(ops) == {"sail_1", "sail_2"}
    assert ops["sail_1"].pool == "sea"
    assert ops["sail_1"].tags["a"] == "b"
    assert ops["sail_1"].retry_policy == dg.RetryPolicy(
        max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL
    )


def test_backfills_are_one_run_or_one_per_partition(load):
    single = load("marts").defs
    many = load("marts", partitions={"backfill": "per_partition"}).defs
    key = dg.AssetKey(["bakery", "marts", "fct_daily_loaves"])
    assert single.resolve_asset_graph().get(key).backfill_policy == dg.BackfillPolicy.single_run()
    assert many.resolve_asset_graph().get(key).backfill_policy == dg.BackfillPolicy.multi_run(1)


def test_python_without_yaml(tmp_path):
    folder = copy_project("chained", tmp_path / "chained")
    component = RockyComponent(config_path=str(folder / "rocky.toml"), binary_path=str(ENGINE))
    first = build_rocky_definitions(component)
    again = build_rocky_definitions(
        RockyComponent(config_path=str(folder / "rocky.toml"), binary_path="/no/such/engine")
    )
    assert set(specs_of(first)) == set(specs_of(again))


def test_python_without_an_engine_says_what_to_install(tmp_path):
    folder = copy_project("chained", tmp_path / "chained")
    with pytest.raises(RefreshFailed, match="rocky-local"):
        build_rocky_definitions(
            RockyComponent(config_path=str(folder / "rocky.toml"), binary_path="/no/such/engine")
        )


class Announcing(RockyComponent):
    """Overrides both hooks."""

    def get_asset_spec(self, props):
        return super().get_asset_spec(props).merge_attributes(tags={"announced": props.kind})

    def execute(self, context, rocky):
        context.log.info("sailing")
        yield from super().execute(context, rocky)
        yield dg.AssetObservation(asset_key="harbour", description="back")


def test_subclasses_override_specs_and_execution(load):
    loaded = load("chained", component=Announcing, pipelines=["shape", "intake"])
    assert loaded.specs()["buoys/shaped/wave_all"].tags["announced"] == "model"
    ran = loaded.run('key:"duckdb/pacific/west/wind/gusts"')
    assert ("harbour", "back") in ran.observed


def described_fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, body in schema.get("properties", {}).items():
        yield f"{path}{name}", body


def test_every_field_of_the_yaml_is_described_with_an_example():
    schema = RockyComponent.get_model_cls().model_json_schema()
    ours = {"": schema} | {
        f"{name}.": body
        for name, body in schema["$defs"].items()
        if name.startswith(("Run", "Retry", "Models", "Partitions", "Checks", "CheckOverride"))
    }
    assert len(ours) >= 7, list(schema["$defs"])
    for path, body in ours.items():
        for name, described in described_fields(body, path):
            assert described.get("description"), f"{name} has no description"
            assert described.get("examples"), f"{name} has no example"
    assert json.dumps(schema)


def test_every_example_of_the_yaml_is_valid(project):
    schema = RockyComponent.model()
    for name, body in schema.model_json_schema()["properties"].items():
        for example in body["examples"]:
            schema.model_validate({name: example})
    assert textwrap.dedent(RockyComponent.__doc__ or "").count("type: dagster_rocky.RockyComponent") == 1


def test_importing_the_component_imports_neither_an_engine_nor_a_parser_nor_what_the_engine_prints() -> None:
    code = (
        "import sys, dagster; before = set(sys.modules); import dagster_rocky; "
        "light = set(sys.modules) - before; dagster_rocky.RockyComponent; new = set(sys.modules) - before; "
        "print({'duckdb', 'sqlglot', 'jinja2', 'rocky_local'} & new, "
        "sorted(name for name in new if name.startswith('dagster_rocky.results')), len(light) < 5)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set() ['dagster_rocky.results', 'dagster_rocky.results.base'] True"


def test_every_public_name_is_there_when_it_is_asked_for() -> None:
    for package in (dagster_rocky, results):
        assert set(package.__all__) == set(package._HOMES)
        for name in package.__all__:
            assert getattr(package, name).__name__ == name
        with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
            package.Nothing  # noqa: B018
    assert set(dagster_rocky.__all__) <= set(dir(dagster_rocky))
