"""The engine's own query language, as far as `from`, `where` and `group` go."""

from __future__ import annotations

import re

from rocky_local.errors import EngineError, Unsupported

_GROUP = re.compile(r"^group\s+(?P<keys>[\w\s,.]+?)\s*\{(?P<body>.*)\}\s*$", re.S)
_CALL = re.compile(r"^(\w+)\((.*)\)$", re.S)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_OTHER_STEPS = ("select", "join", "derive", "sort", "take", "distinct", "match", "let", "with", "window")


def to_sql(source: str) -> str:
    r"""Return a `.rocky` text as SQL.

    Raises:
        Unsupported: It uses a step that only the real engine knows.
        EngineError: It cannot be understood.

    Example:
        >>> print(to_sql('from raw.trips\nwhere state == "ok"\ngroup shop { n: count() }'))
        SELECT shop, COUNT() AS n
        FROM raw.trips
        WHERE state = 'ok'
        GROUP BY shop
    """
    text = "\n".join(line for line in source.split("\n") if not line.strip().startswith("--"))
    table, conditions, columns, keys = "", [], "*", ""
    for step in _steps(text):
        word, _, rest = step.partition(" ")
        if word == "from":
            table = rest.strip()
        elif word == "where":
            conditions.append(_expression(rest.strip()))
        elif word == "group":
            columns, keys = _group(step)
        elif word in _OTHER_STEPS:
            raise Unsupported(f"the `{word}` step of the .rocky language")
        else:
            raise EngineError(f"cannot read the .rocky step '{step.splitlines()[0]}'")
    if not table:
        raise EngineError("a .rocky model starts with `from <table>`")
    lines = [f"SELECT {columns}", f"FROM {table}"]
    if conditions:
        lines.append(f"WHERE {' AND '.join(conditions)}")
    if keys:
        lines.append(f"GROUP BY {keys}")
    return "\n".join(lines)


def _steps(text: str) -> list[str]:
    """Split a text into steps: a line that is not inside braces starts one."""
    steps: list[str] = []
    depth = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        if depth:
            steps[-1] += f"\n{line}"
        else:
            steps.append(line.strip())
        depth += line.count("{") - line.count("}")
    return steps


def _group(step: str) -> tuple[str, str]:
    found = _GROUP.match(step)
    if not found:
        raise EngineError(f"cannot read the .rocky step '{step.splitlines()[0]}'")
    keys = ", ".join(key.strip() for key in found["keys"].split(","))
    columns = [keys]
    for item in re.split(r",(?![^()]*\))", found["body"]):
        if not item.strip():
            continue
        name, colon, expression = item.partition(":")
        if not colon:
            raise EngineError(
                f"cannot read '{item.strip()}' in a .rocky group; expected `name: function(column)`"
            )
        columns.append(f"{_call(expression.strip())} AS {name.strip()}")
    return ", ".join(columns), keys


def _call(expression: str) -> str:
    found = _CALL.match(expression)
    return f"{found[1].upper()}({_expression(found[2])})" if found else _expression(expression)


def _expression(text: str) -> str:
    text = _STRING.sub(lambda match: "'" + match[1].replace("'", "''") + "'", text)
    text = text.replace("==", "=").replace("&&", " AND ").replace("||", " OR ")
    return re.sub(r" {2,}", " ", text)
