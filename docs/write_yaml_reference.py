"""Write `docs/yaml.md`, every attribute of a `RockyComponent`, from the schema that `dg check yaml` checks against.

python docs/write_yaml_reference.py
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dagster_rocky import RockyComponent

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "yaml.md"
OPENING = """# The YAML of a `RockyComponent`

`make docs` writes this page from the component's schema. Paths are relative to the `defs.yaml`, and `{{ env.NAME }}`
stands for an environment variable in every value. An attribute that is not here is refused, with its place in the
file. What is below `translation`, `op` and `defs_state` is Dagster's own.

"""

Schema = Mapping[str, Any]


def branches(field: Schema, definitions: Schema) -> Iterator[Schema]:
    """The alternatives of a field: itself, or each of its `anyOf`, with references followed."""
    for branch in field.get("anyOf", field.get("allOf", [field])):
        name = branch.get("$ref", "").removeprefix("#/$defs/")
        yield definitions[name] if name else branch


def nested(field: Schema, definitions: Schema) -> Schema | None:
    """The object schema below a field that this package defines, if there is one."""
    for branch in branches(field, definitions):
        item = branch.get("items", branch)
        for candidate in branches(item, definitions):
            if "properties" in candidate and any("examples" in p for p in candidate["properties"].values()):
                return candidate
    return None


def type_of(field: Schema, definitions: Schema) -> str:
    """The kinds of value that a field takes, in YAML's words."""
    names: list[str] = []
    for branch in branches(field, definitions):
        if "const" in branch or "enum" in branch:
            names += [f"`{value}`" for value in branch.get("enum", [branch.get("const")])]
        elif branch.get("type") == "array":
            names.append(
                f"list of {type_of(branch['items'], definitions)}" if branch.get("items") else "list"
            )
        elif "properties" in branch:
            names.append("mapping")
        elif branch.get("type") not in (None, "null"):
            names.append({"object": "mapping"}.get(branch["type"], branch["type"]))
    names = list(dict.fromkeys(names))
    if len(names) > 1 and names[-1] == "string":
        names.pop()  # a template is accepted everywhere
    return ", ".join(names) or "any"


def cell(text: str) -> str:
    """The text fit for one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def example_of(field: Schema) -> str:
    """The field's first example as one line of YAML."""
    examples = field.get("examples") or []
    if not examples:
        return ""
    line = yaml.safe_dump(examples[0], default_flow_style=True, width=1000, sort_keys=False).strip()
    return f"`{line.removesuffix('...').strip()}`"


def default_of(field: Schema) -> str:
    """The field's default where it says something."""
    default = field.get("default")
    return (
        ""
        if default in (None, [], {}, "__DAGSTER_UNSET_DEFAULT__")
        else f" Default: `{json.dumps(default)}`."
    )


def section(title: str, schema: Schema, definitions: Schema) -> Iterator[str]:
    """A heading with a table of the schema's fields, then the same for what is nested in them."""
    yield f"## {title}\n"
    yield "| attribute | takes | what it says | example |\n| --- | --- | --- | --- |"
    deeper = []
    for name, field in schema["properties"].items():
        required = " **Required.**" if name in schema.get("required", []) else ""
        described = cell(field.get("description", "") + default_of(field) + required)
        yield f"| `{name}` | {cell(type_of(field, definitions))} | {described} | {cell(example_of(field))} |"
        below = nested(field, definitions)
        if below is not None:
            deeper.append((f"{title}.{name}" if title != "attributes" else name, below))
    yield ""
    for heading, below in deeper:
        yield from section(heading, below, definitions)


def reference() -> str:
    """The whole page as Markdown."""
    schema = RockyComponent.model().model_json_schema()
    return OPENING + "\n".join(section("attributes", schema, schema.get("$defs", {})))


def main() -> None:
    """Write the page."""
    REFERENCE.write_text(reference())
    sys.stdout.write(f"docs: wrote {REFERENCE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
