"""The examples in docstrings: all of them run, and those that show a result give it."""

import ast
import importlib
import inspect
import pkgutil
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
import yaml
from pydantic import Field, ValidationError

import dagster_rocky
from dagster_rocky import RockyComponent
from dagster_rocky.planning.plan import Unit, plan_units
from dagster_rocky.resource import RockyResource
from dagster_rocky.results import DiscoverResult
from dagster_rocky.vocabulary import EngineAsset
from support.recorded import ENGINE, copy_project

BLOCK = re.compile(r"```(python|yaml)\n(.*?)```", re.DOTALL)


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(dagster_rocky.__path__, "dagster_rocky."):
        yield importlib.import_module(found.name)


def examples() -> Iterator[tuple[str, str, str, dict]]:
    """Name, language, text and the names that the example can use."""
    for module in modules():
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", None) != module.__name__:
                continue
            for language, text in BLOCK.findall(inspect.getdoc(thing) or "") if callable(thing) else ():
                yield f"{module.__name__}.{name}", language, textwrap.dedent(text), dict(vars(module))


EXAMPLES = list(examples())


def table(airport: str, name: str) -> EngineAsset:
    key = ("duckdb", airport, name)
    return EngineAsset(
        engine_key=key,
        asset_key=dg.AssetKey(key),
        kind="table",
        name=name,
        pipeline="landing",
        source_id=f"raw__{airport}",
        components={"airport": airport},
    )


def unfinished_run() -> dict[str, object]:
    """A run of three models that ended at a broken one."""
    names = {"broken": (), "its_sibling": (), "its_dependent": ("wh.marts.broken",)}
    found = {
        name: EngineAsset(
            engine_key=("wh", "marts", name),
            asset_key=dg.AssetKey(["wh", "marts", name]),
            kind="model",
            name=name,
            pipeline="marts",
            target=f"wh.marts.{name}",
            path=f"models/{name}.sql",
            reads=reads,
        )
        for name, reads in names.items()
    }
    models = list(found.values())
    (run,) = plan_units([Unit(model) for model in models], models)
    return {**found, "models": models, "run": run}


def context_of_a_retry() -> dg.AssetExecutionContext:
    """The context of a step's second try; the first built one of two assets."""
    seen: list[dg.AssetExecutionContext] = []
    specs = [dg.AssetSpec(["raw", name], skippable=True) for name in ("orders", "items")]

    @dg.multi_asset(specs=specs, retry_policy=dg.RetryPolicy(max_retries=1))
    def tables(context: dg.AssetExecutionContext):
        seen.append(context)
        if len(seen) == 1:
            yield dg.MaterializeResult(["raw", "orders"])
            raise dg.Failure("the items are missing")

    instance = dg.DagsterInstance.ephemeral()
    assert dg.materialize([tables], instance=instance).success
    return seen[-1]


def readers_own(folder: Path, snapshots) -> dict[str, Callable[[], object]]:
    """How to make what the examples take for granted: a project, its state, and what its graph has of it."""

    def engine() -> object:
        config = copy_project("tenants", folder) / "rocky.toml"
        return RockyResource(config_path=str(config), binary_path=str(ENGINE)).engine()

    def state_path() -> Path:
        folder.mkdir(exist_ok=True)
        snapshots("tenants").write(folder / "state.json")
        return folder / "state.json"

    tables = [table(airport, name) for airport in ("jfk", "lga") for name in ("weather", "flights")]
    given = {
        "dg": dg,
        "Field": Field,
        "DiscoverResult": DiscoverResult,
        "tempfile": tempfile,
        "all_tables": tables,
        "tables": tables,
        "tables_of_jfk": tables[:2],
        "weather_of_every_airport": [found for found in tables if found.name == "weather"],
        **unfinished_run(),
    }
    return {
        **{name: partial(lambda thing: thing, thing) for name, thing in given.items()},
        "engine": engine,
        "state_path": state_path,
        "pipeline": lambda: snapshots("tenants").pipelines[0],
        "source": lambda: snapshots("tenants").pipelines[0].sources[0],
        "snapshot": lambda: snapshots("tenants"),
        "project_dir": lambda: copy_project("marts", folder.with_name("marts")),
        "model": lambda: snapshots("marts").models[0],
        "context": context_of_a_retry,
    }


@pytest.mark.parametrize(
    ("name", "language", "text", "scope"), EXAMPLES, ids=[found[0] for found in EXAMPLES]
)
def test_an_example_is_right(name, language, text, scope, tmp_path, snapshots, monkeypatch):
    if language == "yaml":
        assert yaml.safe_load(text)
        return
    words = set(re.findall(r"\w+", text))
    if "flights" in words:
        copy_project("tenants", tmp_path / "flights")
    monkeypatch.chdir(tmp_path)
    scope |= {
        key: make() for key, make in readers_own(tmp_path / "project", snapshots).items() if key in words
    }
    for statement in ast.parse(text).body:
        shown = shown_result(statement, text.splitlines())
        refused = (
            pytest.raises(ValidationError)
            if said_of(statement, text.splitlines()) == "refused"
            else nullcontext()
        )
        with refused:
            if isinstance(statement, ast.Expr):
                given = eval(ast.unparse(statement), scope)
                assert shown is None or given == shown
            else:
                exec(ast.unparse(statement), scope)


def shown_result(statement: ast.stmt, lines: list[str]) -> object | None:
    """The literal in the comment behind a statement or on the line below it."""
    try:
        return ast.literal_eval(said_of(statement, lines))
    except (ValueError, SyntaxError):
        return None


def said_of(statement: ast.stmt, lines: list[str]) -> str:
    """The comment behind a statement or on the line below it."""
    end = statement.end_lineno or 0
    after = lines[end - 1][statement.end_col_offset or 0 :]
    below = lines[end] if end < len(lines) else ""
    comment = (after if "#" in after else below).strip()
    return comment.lstrip("# ") if comment.startswith("#") else ""


def test_no_example_is_in_a_language_that_does_not_run():
    fences = {
        fence
        for module in modules()
        for thing in vars(module).values()
        if getattr(thing, "__module__", None) == module.__name__
        for fence in re.findall(r"```(\w*)\n", inspect.getdoc(thing) or "")
    }
    # The console example is among the README's commands, which a test of the example project runs.
    assert fences == {"python", "yaml", "console"}


@pytest.mark.parametrize("name", dagster_rocky.__all__)
def test_every_public_name_has_an_example(name: str):
    thing = getattr(dagster_rocky, name)
    assert f"{thing.__module__}.{name}" in {found[0] for found in EXAMPLES}


def test_there_are_examples_with_results():
    checked = [
        name
        for name, language, text, scope in EXAMPLES
        if language == "python"
        for statement in ast.parse(text).body
        if shown_result(statement, text.splitlines()) is not None
    ]
    assert {"dagster_rocky.partitions.to_engine_key", "dagster_rocky.project.sql.read_sql"} <= set(checked)
    assert len(checked) >= 15


def test_every_yaml_example_is_valid_for_its_model():
    model = RockyComponent.model()
    tried = 0
    for _, language, text, _ in EXAMPLES:
        body = yaml.safe_load(text) if language == "yaml" else None
        if isinstance(body, dict):
            model.model_validate(body.get("attributes", body))
            tried += 1
    assert tried >= 5
