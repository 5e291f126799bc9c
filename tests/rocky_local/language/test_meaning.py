"""Programs made at random mean what their steps mean one after another, each as a query over the one before."""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb
import pytest
import sqlglot
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rocky_local.language import to_sql
from support.examples import examples

SOURCE = """
CREATE TABLE t AS SELECT i AS a, i % 3 AS b, CASE WHEN i % 4 = 0 THEN NULL ELSE (i * 7) % 5 END AS c,
  chr(97 + (i % 3)::INTEGER) AS s, CASE WHEN i % 5 = 0 THEN NULL ELSE 'x' || (i % 2) END AS u
FROM range(-6, 12) r(i)
"""
TEXTS, OTHERS = ("a", "b", "x0", "it's", 'a "b"'), {"s", "u"}
_LEVELS = {"or": 0, "and": 1, "not": 2, "compare": 3, "sum": 4, "product": 5, "value": 6}


@dataclass(frozen=True)
class Pair:
    """One expression in the language, with as few parentheses as it takes, and in SQL, with all of them."""

    text: str
    sql: str
    level: str = "value"

    def at(self, level: str, *, tighter: bool = False) -> str:
        """Its text as an operand of an operator."""
        lowest = _LEVELS[level] + tighter
        return self.text if _LEVELS[self.level] >= lowest else f"({self.text})"


def _literal(text: str) -> Pair:
    escaped = text.replace('"', '\\"')
    return Pair(f'"{escaped}"', "'" + text.replace("'", "''") + "'")


def _binary(level: str, words: dict[str, str], operand: str) -> st.SearchStrategy[object]:
    def made(left: Pair, word: str, right: Pair) -> Pair:
        text = f"{left.at(operand)} {word} {right.at(operand, tighter=True)}"
        return Pair(text, f"({left.sql} {words[word]} {right.sql})", level)

    return st.sampled_from(sorted(words)).map(lambda word: lambda left, right: made(left, word, right))


SUM = _binary("sum", {"+": "+", "-": "-"}, "sum")
PRODUCT = _binary("product", {"*": "*", "/": "/", "%": "%"}, "product")
COMPARED = _binary(
    "compare",
    {"==": "=", "!=": "IS DISTINCT FROM", "<": "<", "<=": "<=", ">": ">", ">=": ">="},
    "sum",
)


@st.composite
def numbers(draw: st.DrawFn, columns: tuple[str, ...], depth: int = 2) -> Pair:
    leaves = [st.integers(0, 9).map(lambda n: Pair(str(n), str(n)))]
    leaves += [st.sampled_from(columns).map(lambda name: Pair(name, name))] if columns else []
    kind = draw(st.sampled_from(["leaf", "sum", "product", "minus", "call", "match"])) if depth else "leaf"
    if kind == "leaf":
        return draw(st.one_of(*leaves))
    one = draw(numbers(columns, depth - 1))
    if kind == "minus":
        return Pair(f"- {one.at('value')}", f"(-{one.sql})")
    if kind == "call":
        return Pair(f"coalesce({one.text}, 0)", f"coalesce({one.sql}, 0)")
    other = draw(numbers(columns, depth - 1))
    if kind == "match":
        text = (
            f"match {one.at('sum')} {{ > {other.at('sum')} => {one.text}, is null => 7, _ => {other.text} }}"
        )
        first = f"WHEN {one.sql} > {other.sql} THEN {one.sql}"
        return Pair(text, f"(CASE {first} WHEN {one.sql} IS NULL THEN 7 ELSE {other.sql} END)")
    return draw(SUM if kind == "sum" else PRODUCT)(one, other)


@st.composite
def conditions(draw: st.DrawFn, scope: tuple[str, ...], depth: int = 2) -> Pair:
    texts = tuple(name for name in scope if name in OTHERS)
    kinds = ["compare", "null", "between", "in"] + ["text"] * bool(texts) + ["and", "or", "not"] * bool(depth)
    kind = draw(st.sampled_from(kinds))
    if kind in ("and", "or"):
        left, right = draw(conditions(scope, depth - 1)), draw(conditions(scope, depth - 1))
        text = f"{left.at(kind)} {kind} {right.at(kind, tighter=True)}"
        return Pair(text, f"({left.sql} {kind} {right.sql})", kind)
    if kind == "not":
        one = draw(conditions(scope, depth - 1))
        return Pair(f"not {one.at('not')}", f"(NOT {one.sql})", "not")
    if kind == "text":
        name, value = draw(st.sampled_from(texts)), _literal(draw(st.sampled_from(TEXTS)))
        return draw(COMPARED)(Pair(name, name), value)
    numeric = numbers(tuple(name for name in scope if name not in OTHERS))
    one, other = draw(numeric), draw(numeric)
    if kind == "null":
        word = draw(st.sampled_from(["is null", "is not null"]))
        return Pair(f"{one.at('sum')} {word}", f"(({one.sql}) {word})", "compare")
    if kind == "between":
        text = f"{one.at('sum')} between {other.at('sum')} and 5"
        return Pair(text, f"({one.sql} BETWEEN {other.sql} AND 5)", "compare")
    if kind == "in":
        text = f"{one.at('sum')} not in (1, {other.text})"
        return Pair(text, f"({one.sql} NOT IN (1, {other.sql}))", "compare")
    return draw(COMPARED)(one, other)


@dataclass
class Program:
    """Steps in the language, and the same as queries around each other."""

    scope: tuple[str, ...] = ("a", "b", "c", "s", "u")
    text: str = "from t"
    sql: str = "SELECT * FROM t"
    grouped: bool = False
    names: list[str] = field(default_factory=lambda: [f"n{number}" for number in range(20)])

    def add(self, step: str, query: str) -> None:
        self.text += f"\n{step}"
        self.sql = query.format(below=f"({self.sql}) AS below")

    def numeric(self) -> tuple[str, ...]:
        return tuple(name for name in self.scope if name not in OTHERS)


def _where(draw: st.DrawFn, program: Program) -> None:
    condition = draw(conditions(program.scope))
    program.add(f"where {condition.text}", f"SELECT * FROM {{below}} WHERE {condition.sql}")


def _derive(draw: st.DrawFn, program: Program) -> None:
    name, made = program.names.pop(0), draw(numbers(program.numeric()))
    program.add(f"derive {{ {name}: {made.text} }}", f"SELECT *, {made.sql} AS {name} FROM {{below}}")
    program.scope += (name,)


def _select(draw: st.DrawFn, program: Program) -> None:
    program.scope = tuple(draw(st.lists(st.sampled_from(program.scope), min_size=1, unique=True)))
    shown = ", ".join(program.scope)
    program.add(f"select {{ {shown} }}", f"SELECT {shown} FROM {{below}}")


def _group(draw: st.DrawFn, program: Program) -> None:
    keys = draw(st.lists(st.sampled_from(program.scope), min_size=1, max_size=2, unique=True))
    free = [name for name in program.numeric() if name not in keys and not name.startswith("n")]
    text, sql = [], []
    for function in draw(st.lists(st.sampled_from(["sum", "min", "max", "count"]), max_size=3)):
        made = draw(numbers(program.numeric()))
        # An aggregate may be called like the column that it is made from.
        name = draw(st.sampled_from([program.names.pop(0), *free[:1]]))
        free = [each for each in free if each != name]
        text.append(f"{name}: {function}({made.text})")
        sql.append(f"{function}({made.sql}) AS {name}")
    named = [each.split(":")[0] for each in text]
    program.scope = (*keys, *named)
    shown = ", ".join(keys)
    query = f"SELECT {', '.join([shown, *sql])} FROM {{below}} GROUP BY {shown}"
    program.add(f"group {shown} {{ {', '.join(text)} }}", query)
    program.grouped = True


@st.composite
def programs(draw: st.DrawFn) -> Program:
    program = Program()
    for _ in range(draw(st.integers(0, 5))):
        steps = [_where, _derive, _select, *([] if program.grouped else [_group])]
        draw(st.sampled_from(steps))(draw, program)
    if draw(st.booleans()):
        program.add("distinct", "SELECT DISTINCT * FROM {below}")
    if draw(st.booleans()):
        order = ", ".join(f"{name} desc" for name in program.scope)
        program.add(f"sort {order}\ntake 4", f"SELECT * FROM {{below}} ORDER BY {order} LIMIT 4")
    return program


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(SOURCE)
    return connection


@settings(max_examples=examples(50))
@given(program=programs())
def test_one_query_means_what_the_steps_mean(program: Program, database: duckdb.DuckDBPyConnection) -> None:
    lowered = to_sql(program.text)
    assert sqlglot.parse_one(lowered, dialect="duckdb").sql("duckdb")
    try:
        expected = database.execute(program.sql).fetchall()
    except duckdb.OutOfRangeException:
        assume(False)
    found = database.execute(lowered)
    assert [column[0] for column in found.description or []] == list(program.scope)
    assert sorted(map(repr, found.fetchall())) == sorted(map(repr, expected)), lowered


NAMED_LIKE_A_COLUMN = {
    "group a { n: sum(2 - b), b: sum(b) } select { a, n } derive { m: n } where 0 < m":
        "SELECT a, n, n AS m FROM (SELECT a, sum(2 - b) AS n FROM t GROUP BY a) WHERE 0 < n",
    "group s { b: sum(b) } where b > 5 derive { b: b - 1 } where b < 8 select { s, b }":
        "SELECT s, b - 1 AS b FROM (SELECT s, sum(b) AS b FROM t GROUP BY s) WHERE b > 5 AND b - 1 < 8",
    "group s { b: sum(b) } select { s } where b > 5":
        "SELECT s FROM (SELECT s, sum(b) AS b FROM t GROUP BY s) WHERE b > 5",
}  # fmt: skip


@pytest.mark.parametrize("steps", NAMED_LIKE_A_COLUMN)
def test_an_aggregate_named_like_a_column_is_not_taken_for_it(
    steps: str, database: duckdb.DuckDBPyConnection
):
    found = database.execute(to_sql(f"from t {steps}")).fetchall()
    assert sorted(found) == sorted(database.execute(NAMED_LIKE_A_COLUMN[steps]).fetchall())
