"""The state: compact, versioned, whole or not at all, and kept when the engine cannot answer."""

import errno
import json
import re
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster.components import DefsStateConfig, DefsStateConfigArgs

from dagster_rocky import RockyComponent
from dagster_rocky.project.snapshot import ProjectSnapshot, UnreadableState, fingerprint
from dagster_rocky.project.state import (
    RefreshFailed,
    describe_staleness,
    read_or_make_state,
    read_state,
    require_place,
    state_key,
    write_state,
)
from dagster_rocky.resource import RockyResource
from support.recorded import ENGINE, copy_project


@pytest.mark.parametrize("name", ["chained", "tenants", "marts", "kinds"])
def test_a_state_survives_its_file(snapshots, tmp_path, name):
    snapshot = snapshots(name)
    path = tmp_path / "state"
    snapshot.write(path)
    assert read_state(path) == snapshot
    assert read_state(path) is read_state(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"version": 1, "pipe', "do not fit"),
        ("", "do not fit"),
        ("[]", "do not fit"),
        ("null", "do not fit"),
        ("{}", "names no format"),
        ('{"engine_version": "1.71.0", "pipelines": []}', "names no format"),
        ('{"version": 1}', "format 1"),
        ('{"version": 99}', "format 99"),
        ('{"surprise": 1}', "surprise"),
        ('{"version": 2, "models": [{"name": 3}]}', r"models\.0"),
    ],
)
def test_what_is_no_state_is_named_with_the_way_out(tmp_path, content, said):
    path = tmp_path / "state"
    path.write_text(content)
    with pytest.raises(UnreadableState, match=said) as caught:
        read_state(path)
    assert str(path) in str(caught.value)
    assert "refresh-defs-state" in str(caught.value)


def test_a_fingerprint_is_of_names_and_contents_alone(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "rocky.toml").write_text("a")
    (tmp_path / "models" / "x.sql").write_text("select 1")
    watched = ["rocky.toml", "models", "not-there"]
    first = fingerprint(tmp_path, watched)
    (tmp_path / "models" / ".rocky-state.redb").write_text("run state")
    (tmp_path / "models" / "x.sql").touch()
    assert fingerprint(tmp_path, watched) == first
    (tmp_path / "models" / "x.sql").rename(tmp_path / "models" / "y.sql")
    assert fingerprint(tmp_path, watched) != first


def test_running_the_engine_makes_no_state_stale(load):
    loaded = load("chained")
    assert describe_staleness(loaded.snapshot, loaded.folder) is None
    loaded.run("*")
    assert describe_staleness(loaded.snapshot, loaded.folder) is None
    (loaded.folder / "models" / "wave_all.toml").unlink()
    assert "refresh-defs-state" in describe_staleness(loaded.snapshot, loaded.folder)


def bridge(folder: Path, discover: dict | None, exit_code: int = 0) -> RockyResource:
    """The embedded engine, except for what `discover` says."""
    script = folder / "bridge"
    script.write_text(
        f"#!{sys.executable} -SE\n"
        "import os, sys\n"
        f"if 'discover' in sys.argv:\n    print({json.dumps(json.dumps(discover, indent=2))})\n"
        f"    sys.stderr.write('Error: no network\\n' if {exit_code} else '')\n    sys.exit({exit_code})\n"
        f"os.execv({str(ENGINE)!r}, [{str(ENGINE)!r}, *sys.argv[1:]])\n"
    )
    script.chmod(0o755)
    return RockyResource(binary_path=str(script), config_path=str(folder / "rocky.toml"))


def test_a_source_that_cannot_be_discovered_stays_as_it_was(tmp_path, snapshots):
    folder = copy_project("tenants", tmp_path / "tenants")
    path = tmp_path / "state"
    snapshots("tenants").write(path)
    said = {
        "version": "1.71.0",
        "command": "discover",
        "sources": [
            {
                "id": "in__lagoon__fleet",
                "components": {"operator": "lagoon", "system": "fleet"},
                "source_type": "duckdb",
                "tables": [{"name": "vessels"}],
            }
        ],
        "failed_sources": [
            {
                "id": "in__northsea__fleet",
                "schema": "in__northsea__fleet",
                "source_type": "duckdb",
                "error_class": "timeout",
                "message": "took too long",
            }
        ],
    }
    snapshot = write_state(bridge(folder, said), path, "key")
    sources = {source.id: source for source in snapshot.pipelines[0].sources}
    assert set(sources) == {"in__lagoon__fleet", "in__northsea__fleet"}
    assert sources["in__northsea__fleet"].tables == ["sailings", "vessels"]
    assert sources["in__northsea__fleet"].unavailable == "took too long"
    assert sources["in__lagoon__fleet"].unavailable is None
    assert any("took too long" in problem for problem in snapshot.problems)


def test_a_failing_refresh_raises_and_keeps_the_last_good_state(tmp_path, snapshots):
    folder = copy_project("tenants", tmp_path / "tenants")
    path = tmp_path / "state"
    snapshots("tenants").write(path)
    before = path.read_bytes()
    with pytest.raises(RefreshFailed, match=r"(?s)'my-key'.*last good one is kept.*no network"):
        write_state(bridge(folder, None, exit_code=1), path, "my-key")
    assert path.read_bytes() == before


def test_a_first_refresh_that_fails_leaves_nothing(tmp_path):
    folder = copy_project("tenants", tmp_path / "tenants")
    with pytest.raises(RefreshFailed, match="there is no earlier one"):
        write_state(bridge(folder, None, exit_code=1), tmp_path / "state", "my-key")
    assert not (tmp_path / "state").exists()


def test_no_source_at_all_is_a_problem_that_is_said(tmp_path, caplog):
    folder = copy_project("tenants", tmp_path / "tenants")
    said = {"version": "1.71.0", "command": "discover", "sources": []}
    snapshot = write_state(bridge(folder, said), tmp_path / "state", "key")
    assert "discovers no source" in snapshot.problems[0]
    assert "discovers no source" in caplog.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken/bad_depends", "no_such_model"),
        ("broken/cycle", "circular dependency"),
        ("broken/missing_env", "ATLAS_DB_FILE"),
        ("broken/unknown_adapter", "quackdb"),
        ("broken/unknown_sidecar_key", "sideways"),
        ("broken/unknown_key", "surprise"),
    ],
)
def test_a_broken_project_fails_the_refresh_with_the_engines_reason(tmp_path, name, said):
    folder = copy_project(name, tmp_path / "project")
    resource = RockyResource(binary_path=str(ENGINE), config_path=str(folder / "rocky.toml"))
    with pytest.raises(RefreshFailed, match=said):
        write_state(resource, tmp_path / "state", "key")


@pytest.mark.parametrize(
    ("name", "problem", "models"),
    [
        ("broken/compile_error", "do not compile", {"peaks_after", "peaks_bad", "peaks_ok"}),
        ("broken/union_top_level", "do not compile", {"alone", "both"}),
        ("broken/no_models", "no models yet", set()),
        ("broken/contract_in_models", "E010", {"heights"}),
    ],
)
def test_a_project_with_problems_is_shown_and_they_are_said(tmp_path, name, problem, models, caplog):
    folder = copy_project(name, tmp_path / "project")
    resource = RockyResource(binary_path=str(ENGINE), config_path=str(folder / "rocky.toml"))
    snapshot = write_state(resource, tmp_path / "state", "key")
    assert {model.name for model in snapshot.models} == models
    assert any(problem in text for text in snapshot.problems)
    assert problem in caplog.text


def test_partitions_do_not_move_with_the_calendar(tmp_path, snapshots):
    folder = copy_project("chained", tmp_path / "chained")
    path = tmp_path / "state"
    snapshots("chained").model_copy(update={"first_partition": "2019-01-01"}).write(path)
    resource = RockyResource(binary_path=str(ENGINE), config_path=str(folder / "rocky.toml"))
    assert write_state(resource, path, "key").first_partition == "2019-01-01"


def test_an_engine_that_is_not_there_says_what_to_install(tmp_path):
    folder = copy_project("chained", tmp_path / "chained")
    resource = RockyResource(binary_path="no-such-rocky", config_path=str(folder / "rocky.toml"))
    with pytest.raises(dg.Failure, match="rocky-local"):
        write_state(resource, tmp_path / "state", "key")


def test_the_snapshot_holds_no_default_values(snapshots, tmp_path):
    path = tmp_path / "state"
    snapshots("tenants").write(path)
    assert ":null" not in path.read_text()
    assert path.stat().st_size < 4_000
    assert ProjectSnapshot.read(path).pipelines[0].sources[0].tables


def test_a_snapshot_without_anything_survives_its_file_too(tmp_path):
    ProjectSnapshot().write(tmp_path / "state")
    assert ProjectSnapshot.read(tmp_path / "state") == ProjectSnapshot()


def test_a_state_that_cannot_be_written_says_why(tmp_path):
    folder = copy_project("broken/no_models", tmp_path / "project")
    resource = RockyResource(binary_path=str(ENGINE), config_path=str(folder / "rocky.toml"))
    (tmp_path / "file").touch()
    with pytest.raises(RefreshFailed, match=r"(?s)could not be refreshed.*(NotADirectory|FileExists)Error"):
        write_state(resource, tmp_path / "file" / "state", "key")


def key_of(
    root: Path, module: str = "warehouse.defs", place: str = "flights", config: str = "x/rocky.toml"
) -> str:
    return state_key("RockyComponent", place, module=module, project_root=root, config_path=root / config)


def named(root: Path, name: str) -> Path:
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    return root


def test_a_key_is_of_the_project_and_not_of_the_machine(tmp_path):
    here, there = named(tmp_path / "here", "warehouse"), named(tmp_path / "else" / "where", "warehouse")
    assert key_of(here) == key_of(there)
    assert re.fullmatch(r"RockyComponent\[warehouse/flights-[0-9a-f]{6}\]", key_of(here))
    others = [
        key_of(named(tmp_path / "other", "shop")),
        key_of(here, module="shop.defs"),
        key_of(here, place="trains"),
        key_of(here, config="y/rocky.toml"),
    ]
    assert len({key_of(here), *others}) == 5


def test_a_missing_state_that_is_kept_elsewhere_says_what_to_run(tmp_path):
    config = DefsStateConfig.from_args(DefsStateConfigArgs.versioned_state_storage(), default_key="my-key")
    with pytest.raises(RefreshFailed, match=r"dg utils refresh-defs-state --defs-state-key 'my-key'"):
        read_or_make_state(None, config, tmp_path, lambda: pytest.fail("it was made"))


def test_an_unreadable_state_that_is_kept_elsewhere_is_not_replaced(tmp_path):
    config = DefsStateConfig.from_args(DefsStateConfigArgs.versioned_state_storage(), default_key="my-key")
    (tmp_path / "state").write_text("{}")
    with pytest.raises(UnreadableState, match="refresh-defs-state"):
        read_or_make_state(tmp_path / "state", config, tmp_path, lambda: pytest.fail("it was made"))


def test_a_project_that_cannot_be_written_says_what_to_run(tmp_path, monkeypatch):
    config = DefsStateConfig.from_args(DefsStateConfigArgs.local_filesystem(), default_key="my-key")

    def refuse(*_: object) -> Path:
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    monkeypatch.setattr("dagster_rocky._dagster.local_state_path", refuse)
    with pytest.raises(
        RefreshFailed, match=r"Read-only file system.*refresh-defs-state --defs-state-key 'my-key'"
    ):
        require_place(config, tmp_path)
    with pytest.raises(RefreshFailed, match="Read-only file system"):
        read_or_make_state(None, config, tmp_path, lambda: pytest.fail("it was made"))


def test_a_refresh_masks_and_times_out_as_the_component_says(tmp_path, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_DSN", "host-of-secrets-42")
    folder = copy_project("tenants", tmp_path / "tenants")
    script = folder / "engine"
    script.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--version*) echo rocky 1.71.0; exit 0;; esac\n'
        'echo "Error: cannot reach $WAREHOUSE_DSN" >&2\nexit 1\n'
    )
    script.chmod(0o755)
    component = RockyComponent(
        config_path=str(folder / "rocky.toml"),
        binary_path=str(script),
        run={"mask_env": ["WAREHOUSE_DSN"], "timeout_seconds": 7},
    )
    assert component.resource.timeout_seconds == 7
    with pytest.raises(RefreshFailed) as caught:
        component.write_state_to_path(tmp_path / "state")
    assert "cannot reach" in str(caught.value.description)
    assert "host-of-secrets-42" not in f"{caught.value.description} {caught.value.metadata}"
