"""Where does the package make an error, and with which words? Read from the source, without running any of it."""

import ast
import builtins
import importlib
import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dagster_rocky

VARIES = "{…}"
"""What stands for a part of a message that differs."""
PACKAGE = Path(dagster_rocky.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""The modules of the package, and their files."""
_OWN_FACTORIES = {"_dagster.failure", "_dagster.interruption"}
"""Functions that make an error of the words that they are given."""


@dataclass(frozen=True)
class Raised:
    """One place that makes an error.

    Attributes:
        place: Module and function, for example `engine.errors:timed_out`.
        kind: The error's class.
        line: Of the source file.
        texts: Its possible words, as far as the source says them.
    """

    place: str
    kind: str
    line: int
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Function:
    """A function of a module, with what its names stand for."""

    place: str
    tree: ast.FunctionDef
    names: dict[str, object]


@cache
def all_raised() -> tuple[Raised, ...]:
    """Every place in the package that makes an error."""
    return tuple(
        Raised(function.place, kind, call.lineno, tuple(_words(call, function)))
        for function in _functions()
        for call in ast.walk(function.tree)
        if isinstance(call, ast.Call) and _makes_an_error(kind := ast.unparse(call.func), function.names)
    )


@cache
def all_said() -> Mapping[str, tuple[str, ...]]:
    """Every text of the package's functions by its place, whatever becomes of it."""
    said: dict[str, list[str]] = defaultdict(list)
    for function in _functions():
        for node in ast.walk(function.tree):
            if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
                said[function.place] += _texts(node, function)
    said = {place: [text for text in texts if text != VARIES] for place, texts in said.items()}
    for raised in all_raised():
        said[raised.place] += raised.texts
    return {place: tuple(texts) for place, texts in said.items()}


@cache
def _functions() -> tuple[_Function, ...]:
    found: list[_Function] = []
    for name, path in MODULES.items():
        module = importlib.import_module("dagster_rocky" if name == "__init__" else f"dagster_rocky.{name}")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [_Function(f"{name}:{one.name}", one, vars(module)) for one in _outermost(tree.body)]
    return tuple(found)


def _outermost(body: Sequence[ast.stmt]) -> Iterator[ast.FunctionDef]:
    """The functions and methods; one within another is a part of that."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield from _outermost(statement.body)
        elif isinstance(statement, ast.FunctionDef):
            yield statement


def _makes_an_error(called: str, names: dict[str, object]) -> bool:
    if called in _OWN_FACTORIES:
        return True
    first, *rest = called.split(".")
    found = names.get(first, getattr(builtins, first, None))
    for part in rest:
        found = getattr(found, part, None)
    return inspect.isclass(found) and issubclass(found, BaseException)


def _words(call: ast.Call, owner: _Function) -> Iterator[str]:
    """What its first text says; of a keyword, `description`."""
    given = [word.value for word in call.keywords if word.arg == "description"] or call.args
    spoken = [text for value in given for text in _texts(value, owner) if " " in text.replace(VARIES, "")]
    yield from dict.fromkeys(spoken)


def _texts(value: ast.expr, owner: _Function, deep: int = 3) -> Iterator[str]:
    """The possible texts of an expression, where `{…}` stands for what is not written down."""
    match value:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            found = [""]
            for part in parts:
                inner = part.value if isinstance(part, ast.FormattedValue) else part
                found = [old + new for old in found for new in _texts(inner, owner, deep)]
            yield from found
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            for one in _texts(left, owner, deep):
                yield from (one + other for other in _texts(right, owner, deep))
        case ast.IfExp(body=yes, orelse=no):
            yield from (*_texts(yes, owner, deep), *_texts(no, owner, deep))
        case ast.Name(id=name) if deep and (told := list(_assigned(name, owner))):
            for one in told:
                yield from _texts(one, owner, deep - 1)
        case ast.Name(id=name) if isinstance(told := owner.names.get(name), str):
            yield told
        case _:
            yield VARIES


def _assigned(name: str, owner: _Function) -> Iterator[ast.expr]:
    """What a function gives a name by a plain assignment."""
    for node in ast.walk(owner.tree):
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            yield node.value
