"""The catalogue of messages keeps its word: each is said by the code or the engine, and no error of ours is missing."""

import errno
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import dagster as dg
import pytest

from dagster_rocky import RockyComponent, RockyResource, results
from dagster_rocky.deployment.branch import branch_suffix
from dagster_rocky.engine import errors, folders
from dagster_rocky.engine.lock_file import LockFile
from dagster_rocky.engine.locks import engine_locks, lock_path
from dagster_rocky.engine.private_project import write_private_project
from dagster_rocky.graph.claims import claim
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.health import doctor
from dagster_rocky.installation import refuse_the_other
from dagster_rocky.project.snapshot import Model, Pipeline, ProjectSnapshot, Source
from dagster_rocky.project.state import describe_staleness
from dagster_rocky.yaml.launch import LaunchOptions
from dagster_rocky.yaml.options import ModelsOptions
from dagster_rocky.yaml.paths import require_binary, require_config
from support.raised import MODULES, VARIES, all_raised, all_said
from support.recorded import RECORDINGS
from support.scripts import load_script

CATALOGUE = load_script("docs/write_troubleshooting.py")
ENTRIES = CATALOGUE.entries()
OURS = [entry for entry in ENTRIES if entry.where]
LEFT_OUT = CATALOGUE.left_out()


def is_listed(raised) -> bool:
    """Whether the catalogue has everything that a place can say."""
    here = [entry for entry in OURS if raised.place in entry.where]
    return bool(raised.texts) and all(any(entry.fits(text) for entry in here) for text in raised.texts)


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.message[:60])
def test_a_message_is_the_codes_own(entry):
    for place in entry.where:
        said = all_said().get(place, ())
        assert any(entry.fits(text) for text in said), f"{place} does not say {entry.message!r}"


@pytest.mark.parametrize("module", MODULES)
def test_an_error_is_in_the_catalogue(module):
    for raised in all_raised():
        if raised.place.partition(":")[0] == module and not is_listed(raised):
            assert any(fnmatchcase(raised.place, place) for place in LEFT_OUT), (
                f"{raised.place}, line {raised.line}, raises {raised.kind} with {raised.texts}: "
                "list it in docs/messages.toml, or below [left_out]"
            )


def test_every_error_is_of_one_of_the_modules():
    assert {raised.place.partition(":")[0] for raised in all_raised()} <= set(MODULES)


def test_every_reason_to_leave_an_error_out_is_needed():
    unlisted = [raised.place for raised in all_raised() if not is_listed(raised)]
    for place in LEFT_OUT:
        assert any(fnmatchcase(name, place) for name in unlisted), place


def test_errors_are_found_in_the_source():
    assert {"RockyFailure", "dg.Failure", "Mistake", "ImportError", "click.ClickException"} <= {
        raised.kind for raised in all_raised()
    }
    (one,) = [raised for raised in all_raised() if raised.place == "engine.errors:too_old"]
    assert one.texts[0].startswith(
        f"The engine is too old: it says {VARIES}, and this package needs {VARIES} or "
    )
    assert errors.INSTALL_HINT not in one.texts  # it is a part of the text, not one of its own


def test_the_engine_says_it():
    files = [*RECORDINGS.rglob("stderr"), *(RECORDINGS / "broken").rglob("stdout")]
    said = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    lines = said.replace('\\"', '"').replace("\\n", "\n").split("\n")
    for entry in (entry for entry in ENTRIES if entry.recorded):
        pieces = entry.message.split(VARIES)
        assert any(all(piece in line for piece in pieces) for line in lines), entry.message


def test_every_entry_is_of_one_kind_and_fits_its_table():
    for entry in ENTRIES:
        assert (entry.message is None) != (entry.symptom is None), entry
        assert bool(entry.where) + entry.recorded == (entry.message is not None), entry
        assert " | " not in f"{entry.seen} {entry.why} {entry.do}"
    messages = [entry.message for entry in OURS]
    assert len(set(messages)) == len(messages)


# What follows makes the errors and compares what a person reads.

SNAPSHOT = ProjectSnapshot(
    fingerprint="of other files",
    pipelines=[
        Pipeline(
            name="landing",
            type="replication",
            sources=[
                Source(id="jfk", source_type="tower", components={"airport": "jfk"}, tables=["flights"])
            ],
        )
    ],
    models=[Model(name="delays", target="db.marts.delays", strategy="table")],
)


def end(**facts: object) -> errors.ProcessEnd:
    plain = {"command": "rocky run", "exit_code": 1, "duration_seconds": 1.0, "stderr_tail": ""}
    return errors.ProcessEnd(**{**plain, **facts})


def missing(number: int, path: str = "rocky") -> errors.RockyFailure:
    return errors.cannot_start(path, "rocky run", OSError(number, "no"), Path("/"))


def two_locks(folder: Path) -> None:
    paths = {"paths": [folder / "warehouse.duckdb"], "logger": None}
    with engine_locks(**paths, timeout_seconds=None), engine_locks(**paths, timeout_seconds=0):
        pass


def linked_lock(folder: Path) -> None:
    lock = lock_path(folder / "warehouse.duckdb")
    lock.symlink_to(folder / "elsewhere")
    LockFile(lock)


def copied_in_part(folder: Path) -> None:
    (folder / "rocky.toml").write_text('imports = ["other.toml"]\n')
    write_private_project(folder / "private.toml", folder / "rocky.toml", "marts", [])


def other_distribution(folder: Path) -> None:
    (folder / "dagster_rocky-0.1.dist-info").mkdir()
    (folder / "dagster_rocky-0.1.dist-info" / "RECORD").write_text("dagster_rocky/__init__.py,,\n")
    refuse_the_other(folder / "dagster_rocky")


def claimed_twice(folder: Path) -> None:
    key, location = dg.AssetKey(["raw", "flights"]), pytest.MonkeyPatch()
    claim(location, "one", {key}, None)
    claim(location, "two", {key}, None)


def other_version(folder: Path) -> None:
    doctor._VERSIONS["rocky", ">=9"] = "1.71.0"
    try:
        doctor.require_in_range(RockyResource(config_path="rocky.toml", binary_path="rocky"), ">=9")
    finally:
        del doctor._VERSIONS["rocky", ">=9"]


def cut_off(folder: Path) -> None:
    (folder / "state").write_text('{"version":')
    ProjectSnapshot.read(folder / "state")


MADE: list[tuple[str, Callable[[Path], object]]] = [
    ("Two distributions", other_distribution),
    ("The engine is too old", lambda _: errors.too_old("1.2.0", "rocky --version")),
    ("The engine {…} is {…}, and health.engine_version", other_version),
    ("{…} does not exist. Name the project's", lambda folder: require_config(folder / "rocky.toml")),
    ("{…} is neither on the PATH", lambda _: require_binary("no-such-engine")),
    ("{…} is no file that can be run", lambda folder: require_binary(f"{folder}/rocky")),
    ("the project has no {…} {…}.", lambda _: Ownership(pipelines=("landin",)).check(SNAPSHOT)),
    (
        "the project has no {…} {…}.",
        lambda _: Ownership(models=ModelsOptions(select=["x"])).check(SNAPSHOT),
    ),
    ("sources have no {…}.", lambda _: Ownership(filters=("airprt=jfk",)).check(SNAPSHOT)),
    (
        "no table fits the filter",
        lambda _: Ownership(filters=("airport=jkf",)).idle_filters(SNAPSHOT)[0].said,
    ),
    ("{…} belongs to {…} already", claimed_twice),
    ("The defs state in {…} cannot be read", cut_off),
    ("stale: the project's files", lambda folder: describe_staleness(SNAPSHOT, folder)),
    ("The run config of this launch", lambda _: LaunchOptions.of({"parallelism": -1})),
    (
        "{…} says that this is a branch deployment",
        lambda _: branch_suffix({"DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT": "1"}),
    ),
    ("Another run held {…}", two_locks),
    ("The engine did not run: idempotency key", lambda _: errors.in_flight("k", None)),
    ("The lock file {…} is {…}", linked_lock),
    ("Several models of {…} cannot be built", copied_in_part),
    ("Cannot {…} in {…}", lambda folder: folders.unusable(folder, OSError(errno.ENOSPC, "full"), "spool it")),
    ("The engine {…} cannot be started", lambda _: missing(errno.ENOENT)),
    ("The engine {…} cannot be started", lambda _: missing(errno.ENOMEM)),
    ("The engine {…} cannot be started", lambda _: missing(errno.E2BIG)),
    (
        "The folder of the engine's config",
        lambda folder: errors.cannot_start("rocky", "rocky run", OSError(2, "no"), folder / "gone"),
    ),
    ("The engine ran longer than", lambda _: errors.timed_out(end(), 60)),
    ("The engine was ended by {…}", lambda _: errors.hard_failure(end(exit_code=-9))),
    (
        "{…}\n\nThe engine refused its command line",
        lambda _: errors.hard_failure(end(exit_code=2, engine_error="error: no such option")),
    ),
    ("{…}\n\nThe engine ended with exit code", lambda _: errors.hard_failure(end(engine_error="no disk"))),
    ("The engine ended with exit code {…} and reported no result", lambda _: errors.hard_failure(end())),
    (
        "The engine ended with exit code {…}, but its output",
        lambda _: errors.no_json(end(exit_code=0), 3, b"abc", b"", "no JSON"),
    ),
    (
        "The engine ended with exit code {…}, and {…}",
        lambda _: errors.unexplained(end(exit_code=3), results.RunResult.from_stdout(b"{}")),
    ),
    ("The engine cannot be given {…}", lambda _: errors.nul_in_command("rocky run a\0b", "a\0b")),
]


def words_of(made: object) -> str:
    if isinstance(made, dg.Failure):
        return made.description or ""
    return str(getattr(made, "said", made))


@pytest.mark.parametrize(("begins", "make"), MADE, ids=[begins[:40] for begins, _ in MADE])
def test_a_message_is_what_a_person_reads(begins: str, make: Callable[[Path], object], tmp_path: Path):
    (entry,) = [entry for entry in OURS if entry.message.startswith(begins)]
    try:
        made = make(tmp_path)
    except Exception as error:
        made = error
    assert entry.fits(words_of(made)), words_of(made)


@pytest.mark.parametrize("field", ["allow_missing_binary", "binary_path", "pipelines", "filters", "models"])
def test_fields_exist(field: str):
    assert f"`{field}" in CATALOGUE.reference()
    assert field in RockyComponent.model_fields
