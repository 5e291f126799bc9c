"""Which tests does a model's sidecar ask for, and what do they say in words (contract, section 16)?"""

from collections.abc import Mapping
from typing import Any

from dagster_rocky.project.configured_checks import in_words, is_warning
from dagster_rocky.project.snapshot import ConfiguredCheck

DECLARATIVE = "test"
"""The kind of `[[tests]]` and `[[use_test]]`, which `rocky test --declarative` evaluates on the warehouse."""
UNIT = "unit_test"
"""The kind of `[[test]]`, which `rocky test` evaluates in memory on given rows."""

Rule = Mapping[str, Any]


def declarative_tests(sidecar: Rule, definitions: Rule) -> list[ConfiguredCheck]:
    """The tests of a model on the warehouse, in the order in which the engine evaluates them.

    Args:
        sidecar: The model's.
        definitions: The project's `test_definitions.toml`, which `[[use_test]]` names.

    Returns:
        First `[[tests]]`, then `[[use_test]]`; the name is `test:<type>:<column or ->`, as the engine's results tell
        them, the title has the test's own name where it has one, and no `-`.

    Example:
        ```python
        declarative_tests({"tests": [{"type": "unique", "column": "id"}]}, {})
        # [ConfiguredCheck(name='test:unique:id', kind='test', description='id is unique', …)]
        ```
    """
    own = [(rule, rule.get("name")) for rule in _rows(sidecar.get("tests"))]
    for used in _rows(sidecar.get("use_test")):
        defined = definitions.get(str(used.get("name")))
        if isinstance(defined, Mapping):
            here = {name: used[name] for name in ("column", "severity") if name in used}
            own.append(({**defined, **here}, used["name"]))
    return [
        ConfiguredCheck(
            name=declarative_name(str(rule.get("type")), rule.get("column")),
            kind=DECLARATIVE,
            severity="warning" if is_warning(rule) else "error",
            title=_title(rule, name),
            description=in_words(rule),
        )
        for rule, name in own
    ]


def unit_tests(sidecar: Rule) -> list[ConfiguredCheck]:
    """The tests of a model on given rows.

    Args:
        sidecar: The model's.

    Returns:
        In the sidecar's order; the name is `unit_test:<name>`.

    Example:
        ```python
        [check.name for check in unit_tests({"test": [{"name": "adds_up", "expect": {"rows": []}}]})]
        # ['unit_test:adds_up']
        ```
    """
    return [
        ConfiguredCheck(
            name=unit_test_name(str(rule.get("name", "unnamed"))), kind=UNIT, description=_given(rule)
        )
        for rule in _rows(sidecar.get("test"))
    ]


def declarative_name(test_type: str, column: Any) -> str:
    """What a declarative test and its result are called alike."""
    return f"{DECLARATIVE}:{test_type}:{column or '-'}"


def unit_test_name(name: str) -> str:
    """What a unit test and its result are called alike."""
    return f"{UNIT}:{name}"


def _title(rule: Rule, name: Any) -> str | None:
    """The test's own name, which results do not tell; one of the whole table has no `-` for its column."""
    if name or not rule.get("column"):
        return f"{DECLARATIVE}:{name or rule.get('type')}"
    return None


def _given(rule: Rule) -> str:
    refs = ", ".join(str(given.get("ref")) for given in _rows(rule.get("given")))
    expect = rule.get("expect")
    rows = len(_rows(expect.get("rows"))) if isinstance(expect, Mapping) else 0
    given = f"given rows of {refs}" if refs else "given nothing"
    return f"{given}, the model gives the {rows} expected row(s); evaluated in memory"


def _rows(value: Any) -> list[Rule]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
