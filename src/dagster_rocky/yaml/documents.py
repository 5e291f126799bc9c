"""Can Dagster take a file for components? What it says of one that it cannot has neither file, line nor field."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from dagster_rocky.yaml.mistakes import Fault, dotted, instead
from dagster_rocky.yaml.mistakes import Path as Field
from dagster_rocky.yaml.wanted import shown

_KEYS = ("type", "attributes", "template_vars_module", "requirements", "post_processing")
_PACKAGE, _COMPONENT = "dagster_rocky", "RockyComponent"


def faults_of(file: Path) -> Iterator[Fault]:
    """What keeps a file from being one of components.

    Args:
        file: A `defs.yaml`.

    Yields:
        Text that is no YAML, a field that is written twice, and what is wrong beside and above the attributes; what
        is wrong in them is the component's to say.
    """
    try:
        nodes = list(yaml.compose_all(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader))
    except UnicodeDecodeError as error:
        before = error.object.count(b"\n", 0, error.start)
        yield Fault(str(file), before + 1, "", "this is no text in UTF-8: save the file as UTF-8.")
        return
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        yield Fault(str(file), line, "", f"this is no YAML: {error.problem}.")
        return
    except yaml.YAMLError as error:
        yield Fault(str(file), None, "", f"this is no YAML: {str(error).splitlines()[0]}.")
        return
    if not nodes:
        yield Fault(
            str(file), 1, "", f"the file is empty. A component begins with: type: {_PACKAGE}.{_COMPONENT}"
        )
    for node in nodes:
        wrong = list(_wrong_values(node, ()))
        yield from (Fault(str(file), line, dotted(path), said) for line, path, said in wrong)
        if not wrong:
            yield from (Fault(str(file), line, field, said) for line, field, said in _wrong_component(node))


_Wrong = tuple[int, Field, str]


def _wrong_values(node: yaml.Node | None, path: Field) -> Iterator[_Wrong]:
    """Fields that are there twice, of which YAML takes the last one; dates that are none; tags of other programs."""
    if node and node.tag not in yaml.SafeLoader.yaml_constructors:
        yield node.start_mark.line + 1, path, f"{node.tag} is a tag that Dagster does not know: leave it out."
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            below = (*path, name) if path or name != "attributes" else ()
            if name in lines:
                yield line, below, f"is there already, in line {lines[name]}: leave one of them out."
            lines.setdefault(name, line)
            yield from _wrong_values(value, below)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _wrong_values(value, (*path, number))
    elif isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:timestamp":
        try:
            yaml.SafeLoader("").construct_document(node)
        except ValueError as error:
            yield node.start_mark.line + 1, path, f"{node.value} is no date: {error}."


def _wrong_component(node: yaml.Node | None) -> Iterator[tuple[int, str, str]]:
    if not isinstance(node, yaml.MappingNode):
        yield 1, "", f"a component is a mapping: type: {_PACKAGE}.{_COMPONENT}"
        return
    fields = {str(key.value): (key.start_mark.line + 1, value) for key, value in node.value}
    for name, (line, _) in fields.items():
        if name not in _KEYS:
            yield line, name, f"there is no such field. {instead(name, _KEYS, limit=0)}"
    if "type" not in fields:
        yield 1, "type", f"is missing. For example: type: {_PACKAGE}.{_COMPONENT}"
    elif said := _unknown_type(str(fields["type"][1].value)):
        yield fields["type"][0], "type", said
    line, attributes = fields.get("attributes", (1, None))
    value: Any = yaml.SafeLoader("").construct_document(attributes) if attributes else None
    if not isinstance(value, dict | None):
        example = "attributes: {config_path: rocky.toml}"
        yield line, "attributes", f"must be a mapping, not {shown(value)}. For example: {example}"


def _unknown_type(name: str) -> str | None:
    """What is wrong with the name of one of this package's components, or of any module."""
    module, _, attribute = name.rpartition(".")
    if module == _PACKAGE and attribute != _COMPONENT:
        return f"{module} has no component {attribute!r}. {instead(attribute, [_COMPONENT], limit=0)}"
    top = module.partition(".")[0]
    if top and find_spec(top) is None:
        return f"there is no module {top!r}. {instead(top, [_PACKAGE], limit=0)}"
    return None
