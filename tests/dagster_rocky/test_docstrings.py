"""The examples in docstrings: all of them are Python, and those that show a result give it."""

import ast
import builtins
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType

import pytest
import yaml

import dagster_rocky
from dagster_rocky import RockyComponent

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


@pytest.mark.parametrize(
    ("name", "language", "text", "scope"), EXAMPLES, ids=[found[0] for found in EXAMPLES]
)
def test_an_example_is_right(name, language, text, scope):
    if language == "yaml":
        assert yaml.safe_load(text)
        return
    for statement in ast.parse(text).body:
        shown = shown_result(statement, text.splitlines())
        if shown is not None and isinstance(statement, ast.Expr) and is_complete(statement, scope):
            assert eval(ast.unparse(statement), scope) == shown


def is_complete(statement: ast.stmt, scope: dict) -> bool:
    """Whether every name is known: some examples speak of things that the reader has."""
    used = {found.id for found in ast.walk(statement) if isinstance(found, ast.Name)}
    return used <= {*scope, *dir(builtins)}


def shown_result(statement: ast.stmt, lines: list[str]) -> object | None:
    """The literal in the comment behind a statement or on the line below it."""
    end = statement.end_lineno or 0
    after = lines[end - 1][statement.end_col_offset or 0 :]
    below = lines[end] if end < len(lines) else ""
    comment = (after if "#" in after else below).strip()
    if not comment.startswith("#"):
        return None
    try:
        return ast.literal_eval(comment.lstrip("# "))
    except (ValueError, SyntaxError):
        return None


def test_there_are_examples_with_results():
    checked = [
        name
        for name, language, text, scope in EXAMPLES
        if language == "python"
        for statement in ast.parse(text).body
        if shown_result(statement, text.splitlines()) is not None and is_complete(statement, scope)
    ]
    assert {"dagster_rocky.partitions.to_engine_key", "dagster_rocky.project.sql.read_sql"} <= set(checked)
    assert len(checked) >= 8


def test_every_yaml_example_is_valid_for_its_model():
    model = RockyComponent.get_model_cls()
    tried = 0
    for _, language, text, _ in EXAMPLES:
        body = yaml.safe_load(text) if language == "yaml" else None
        if isinstance(body, dict):
            model.model_validate(body.get("attributes", body))
            tried += 1
    assert tried >= 5
