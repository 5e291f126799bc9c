"""Write `docs/python.md`, every public name of `dagster_rocky`, from its signatures and docstrings.

python docs/write_python_reference.py
"""

import ast
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from pydantic import BaseModel

import dagster_rocky
from dagster_rocky import results

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "python.md"
OPENING = """# The Python of `dagster_rocky`

`make docs` writes this page from the package's signatures and docstrings. The fields of `RockyComponent` are those of
[the YAML](yaml.md). What is not here is not public, but for the classes of the engine's answers at the end, which
`dagster_rocky.results` has.

"""
ANSWERS = """## What the engine answers

Fields that a newer engine adds are kept, and reached like the others; they are never an error. Nested objects are in
`dagster_rocky.results`, too.

"""
MACHINERY = {"engine", "options", "invoke", "folders_of", "models_flags", "running"}
"""Public only to the package's other rooms."""
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example", "Examples")
ENTRY = re.compile(r"^(\*{0,2}\w[\w.]*): (.*)")


def sections(doc: str) -> dict[str, str]:
    """A Google docstring as its text under `""` and each of its sections, dedented."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in doc.splitlines():
        if line.endswith(":") and line[:-1] in SECTIONS:
            name = line[:-1]
            found[name] = []
        else:
            found[name].append(line)
    return {key: textwrap.dedent("\n".join(lines)).strip() for key, lines in found.items()}


def entries(text: str) -> Iterator[str]:
    """The entries of a section as list items, each on one line."""
    joined: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and joined:
            joined[-1] += f" {line.strip()}"
        elif line.strip():
            joined.append(line.strip())
    for entry in joined:
        match = ENTRY.match(entry)
        yield f"- `{match.group(1)}`: {match.group(2)}" if match else f"- {entry}"


def prose(text: str) -> str:
    """Running text with its paragraphs, each on one line."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def rendered(thing: Any) -> Iterator[str]:
    """A docstring as Markdown."""
    for name, text in sections(inspect.getdoc(thing) or "").items():
        if not text:
            continue
        if not name:
            yield prose(text)
        elif name.startswith("Example"):
            yield text if "```" in text else f"```python\n{text}\n```"
        elif name == "Returns":
            yield f"**Returns** {prose(text)}"
        else:
            yield f"**{name}**\n\n" + "\n".join(entries(text))


def definition(thing: Any) -> ast.FunctionDef:
    """The source of a function as a tree."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing))))
    found = tree.body[0]
    if not isinstance(found, ast.FunctionDef):
        raise TypeError(f"{thing} is no function")
    return found


def signature(thing: Any, name: str) -> str:
    """What to write to call a function, without `self`."""
    function = definition(thing)
    function.args.args = [one for one in function.args.args if one.arg not in {"self", "cls"}]
    arguments = re.sub(r"(?<=\w|\])=(?=\S)", " = ", ast.unparse(function.args))
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{name}({arguments}){returns}"
    if len(line) > 100:
        line = f"{name}(\n    {arguments}\n){returns}"
        line = re.sub(r", (?=\w+: |\*)", ",\n    ", line)
    return f"```python\n{line}\n```"


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods of a class that this package writes, its bases' too, without Dagster's hooks."""
    seen: set[str] = set()
    for owner in cls.__mro__:
        if not owner.__module__.startswith("dagster_rocky"):
            continue
        for name, member in vars(owner).items():
            is_method = isinstance(member, FunctionType) and not name.startswith(("_", "model_"))
            if is_method and name not in seen | MACHINERY and inspect.getdoc(member):
                seen.add(name)
                yield name, member


def fields(cls: type[BaseModel]) -> Iterator[str]:
    """The described fields of a model as list items."""
    for name, field in cls.model_fields.items():
        if field.description:
            yield f"- `{name}`: {' '.join(field.description.split())}"


def class_page(name: str, cls: type) -> Iterator[str]:
    """A class with its fields and its methods."""
    yield f"## {name}"
    yield from rendered(cls)
    if issubclass(cls, BaseModel) and cls is not dagster_rocky.RockyComponent:
        found = "\n".join(fields(cls))
        if found:
            yield f"**Fields**\n\n{found}"
    for method, member in methods(cls):
        yield f"### {name}.{method}"
        yield signature(member, method)
        yield from rendered(member)


def answers() -> list[type[BaseModel]]:
    """The models that the methods of `RockyResource` return."""
    found: dict[str, type[BaseModel]] = {}
    for _, member in methods(dagster_rocky.RockyResource):
        returned = definition(member).returns
        for name in re.findall(r"\w+", ast.unparse(returned)) if returned else ():
            one = getattr(results, name, None)
            if inspect.isclass(one) and issubclass(one, BaseModel):
                found[name] = one
    return [found[name] for name in sorted(found)]


def answer_page(cls: type[BaseModel]) -> Iterator[str]:
    """One of the engine's answers with the types of its fields."""
    yield f"### {cls.__name__}"
    yield from rendered(cls)
    named = "\n".join(f"- `{name}`: `{shown(field.annotation)}`" for name, field in cls.model_fields.items())
    if named:
        yield f"**Fields**\n\n{named}"


def shown(annotation: Any) -> str:
    """A type without its modules."""
    text = (
        annotation.__name__
        if inspect.isclass(annotation) and not typing.get_args(annotation)
        else str(annotation)
    )
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text)


def reference() -> str:
    """The whole page as Markdown."""
    parts: list[str] = []
    for name in dagster_rocky.__all__:
        thing = getattr(dagster_rocky, name)
        if inspect.isclass(thing):
            parts += class_page(name, thing)
        else:
            parts += [f"## {name}", signature(thing, name), *rendered(thing)]
    told = [part for cls in answers() for part in answer_page(cls)]
    return OPENING + "\n\n".join(parts) + "\n\n" + ANSWERS + "\n\n".join(told) + "\n"


def main() -> None:
    """Write the page."""
    REFERENCE.write_text(reference())
    sys.stdout.write(f"docs: wrote {REFERENCE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
