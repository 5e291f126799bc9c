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
    table, conditions, columns, keys = "", [], "*", ""
    for step in _steps(source):
        word, _, rest = step.partition(" ")
        if word == "from":
            table = rest.strip()
        elif word == "where":
            conditions.append(_expression(rest.strip()))
        elif word == "group" and (found := _GROUP.match(step)):
            keys = ", ".join(key.strip() for key in found["keys"].split(","))
            items = (item.strip() for item in re.split(r",(?![^()]*\))", found["body"]))
            columns = ", ".join([keys, *(_column(item) for item in items if item)])
        elif word in _OTHER_STEPS:
            raise Unsupported(f"the `{word}` step of the .rocky language")
        else:
            raise EngineError(f"cannot read the .rocky step '{step.splitlines()[0]}'")
    if not table:
        raise EngineError("a .rocky model starts with `from <table>`")
    lines = [f"SELECT {columns}", f"FROM {table}"]
    lines += [f"WHERE {' AND '.join(conditions)}"] if conditions else []
    lines += [f"GROUP BY {keys}"] if keys else []
    return "\n".join(lines)


def _steps(text: str) -> list[str]:
    """Split a text into steps: a line that is not inside braces starts one."""
    steps: list[str] = []
    depth = 0
    for line in text.split("\n"):
        if not line.strip() or line.strip().startswith("--"):
            continue
        if depth:
            steps[-1] += f"\n{line}"
        else:
            steps.append(line.strip())
        depth += line.count("{") - line.count("}")
    return steps


def _column(item: str) -> str:
    name, colon, expression = item.partition(":")
    if not colon:
        raise EngineError(f"cannot read '{item}' in a .rocky group; expected `name: function(column)`")
    call = _CALL.match(expression.strip())
    shown = f"{call[1].upper()}({_expression(call[2])})" if call else _expression(expression.strip())
    return f"{shown} AS {name.strip()}"


def _expression(text: str) -> str:
    text = _STRING.sub(lambda match: "'" + match[1].replace("'", "''") + "'", text)
    text = text.replace("==", "=").replace("&&", " AND ").replace("||", " OR ")
    return re.sub(r" {2,}", " ", text)
