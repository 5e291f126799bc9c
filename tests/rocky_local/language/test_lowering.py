from __future__ import annotations

import pytest

from rocky_local.errors import NotAQuery
from rocky_local.language import to_sql

# Each step and each expression beside the SQL that it becomes; the clauses stand on one line here.
LOWERED = {
    "from a.b.c as o": "SELECT * FROM a.b.c o",
    "from t\nreplicate": "SELECT * FROM t",
    "from t where a == 1 or b == 2 where c < 3": "SELECT * FROM t WHERE (a = 1 OR b = 2) AND c < 3",
    "from t derive { a: b + 1 } where a * 2 > a": "SELECT *, b + 1 AS a FROM t WHERE (b + 1) * 2 > (b + 1)",
    "from t derive { a: b, c: a + 1 } select { c, b }": "SELECT b + 1 AS c, b FROM t",
    "from t derive { a: b + 1 } select { b } sort a": "SELECT b FROM t ORDER BY b + 1",
    "from t select { a, b } derive { a: a + b }": "SELECT b, a + b AS a FROM t",
    "from t derive { m: month(d) } group m, k { n: count() }": (
        "SELECT MONTH(d) AS m, k, COUNT() AS n FROM t GROUP BY MONTH(d), k"
    ),
    "from t group k { n: count(*) } derive { half: n / 2 } where n > 1 and half > 1": (
        "SELECT k, COUNT(*) AS n, COUNT(*) / 2 AS half FROM t GROUP BY k HAVING n > 1 AND (COUNT(*) / 2) > 1"
    ),
    "from t group k { n: count() } where n > 1 select { k } sort -n": (
        "SELECT k FROM t GROUP BY k HAVING COUNT() > 1 ORDER BY COUNT() DESC"
    ),
    "from t derive { one: 1, two: 2 } group one { n: count() } select { n } sort one": (
        "SELECT COUNT() AS n FROM t GROUP BY 1 + 0 ORDER BY 1 + 0"
    ),
    "from t derive { x: 1 } select { * }": "SELECT *, 1 AS x FROM t",
    "from a.b.t join u on k, l": "SELECT * FROM a.b.t JOIN u ON t.k = u.k AND t.l = u.l",
    "from t as a join u as b on k { keep b.x, b.y } join v on k { keep v.z keep v.w }": (
        "SELECT b.x, b.y, v.z, v.w FROM t a JOIN u AS b ON a.k = b.k JOIN v ON a.k = v.k"
    ),
    "from t as a join u as b on k { keep b.x } derive { z: b.x + 1 }": (
        "SELECT b.x, b.x + 1 AS z FROM t a JOIN u AS b ON a.k = b.k"
    ),
    "from t sort a desc, -b, c asc take 9 take 5 distinct": (
        "SELECT DISTINCT * FROM t ORDER BY a DESC, b DESC, c LIMIT 5"
    ),
    "from order select { end }": 'SELECT "end" FROM "order"',
    'from t where a != "x" -- no "y"\n': "SELECT * FROM t WHERE a IS DISTINCT FROM 'x'",
    r'from t where a == "it' + r"'s \"q\" \d" + '"': "SELECT * FROM t WHERE a = 'it''s \"q\" \\d'",
    "from t where a > @2026-13-45": "SELECT * FROM t WHERE a > DATE '2026-13-45'",
    "from t where a > @2026-09-01T00:00:00Z": "SELECT * FROM t WHERE a > TIMESTAMP '2026-09-01T00:00:00Z'",
    "from t where a >= @start_date and a < @end_date and b == @var(b, 1)": (
        "SELECT * FROM t WHERE a >= @start_date AND a < @end_date AND b = @var(b, 1)"
    ),
    "from t where not a is not null and not not b": "SELECT * FROM t WHERE NOT a IS NOT NULL AND b",
    "from t where a in (1, 2) and b not between 1 and 2 or c like d": (
        "SELECT * FROM t WHERE a IN (1, 2) AND NOT b BETWEEN 1 AND 2 OR c LIKE d"
    ),
    "from t where - a - -1 * b % 2 == true": "SELECT * FROM t WHERE -a - -1 * b % 2 = TRUE",
    "from t derive { x: count(distinct a) }": "SELECT *, COUNT(DISTINCT a) AS x FROM t",
    'from t derive { x: match a + 1 { > 4 => "a", 2 => "b", is null => "c", in (8, 9) => "d", _ => null } }': (
        "SELECT *, CASE WHEN a + 1 > 4 THEN 'a' WHEN a + 1 = 2 THEN 'b' WHEN a + 1 IS NULL THEN 'c' "
        "WHEN a + 1 IN (8, 9) THEN 'd' ELSE NULL END AS x FROM t"
    ),
    "from t derive { x: sum(a) over (), y: rank() over (partition a, b, sort -c, d) }": (
        "SELECT *, SUM(a) OVER () AS x, RANK() OVER (PARTITION BY a, b ORDER BY c DESC, d) AS y FROM t"
    ),
    "from t derive { x: sum(a) over (sort b, rows 3..current), y: sum(a) over (rows current..unbounded) }": (
        "SELECT *, SUM(a) OVER (ORDER BY b ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS x, "
        "SUM(a) OVER (ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS y FROM t"
    ),
}
STEP = "expected pipeline step (from, where, group, derive, select, join, sort, take, distinct, replicate)"
# Texts that are no query: which phase says what, and where.
REFUSED = {
    "-- nothing\n": ("parse", "empty file: no pipeline steps found", 0, 0),
    "take 5": ("lower", "pipeline must start with 'from'", 0, 0),
    "from t from u": ("lower", "only the first step of a pipeline is 'from'", 0, 0),
    "from t group a { n: count() } group n { }": ("lower", "a pipeline has at most one 'group'", 0, 0),
    "from t group a { n: count() } join u on a": ("lower", "'join' comes before 'group'", 0, 0),
    "from t\nwhere é": ("parse", 'unexpected token at offset 13: expected a token, found "é"', 2, 7),
    'from t\nwhere "é" == "b" "c"': (
        "parse",
        f'unexpected token at offset 25: {STEP}, found String("c")',
        2,
        18,
    ),
    "from t where": ("parse", "unexpected end of file: expected expression", 1, 13),
    "from t select { }": ("parse", "unexpected token at offset 16: expected identifier, found RBrace", 1, 17),
    "from t\ntake 1.5": ("parse", 'unexpected token at offset 0: expected number, found Number("1.5")', 2, 6),
    "from t where a is b": ("parse", 'unexpected token at offset 18: expected Null, found Ident("b")', 1, 19),
    "from t where (a": ("parse", "unexpected end of file: expected RParen", 1, 16),
    "from t where a not 1": (
        "parse",
        'unexpected token at offset 19: expected in, between or like, found Number("1")',
        1,
        20,
    ),
    "from t derive { x: sum(a) over (rows a..b) }": (
        "parse",
        "unexpected token at offset 37: expected frame bound (unbounded, current or a number), "
        'found Ident("a")',
        1,
        38,
    ),
    f"from t where {'(' * 30}a": (
        "parse",
        "unexpected token at offset 38: expressions are nested more than 25 deep",
        1,
        39,
    ),
    f"from t derive {{ a: b + b {' '.join('a: a + a' for _ in range(12))} }}": (
        "lower",
        "the derived column 'a' has more than 10000 parts",
        0,
        0,
    ),
}


@pytest.mark.parametrize(("source", "sql"), LOWERED.items(), ids=range(len(LOWERED)))
def test_steps_become_one_query(source: str, sql: str) -> None:
    assert to_sql(source).replace("\n", " ") == sql


@pytest.mark.parametrize(("source", "said"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_is_no_query_is_said_with_its_place(source: str, said: tuple[str, str, int, int]) -> None:
    with pytest.raises(NotAQuery) as raised:
        to_sql(source)
    error = raised.value
    assert (error.phase, str(error), error.line, error.column) == said


def test_long_chains_are_no_nesting() -> None:
    assert to_sql(f"from t where {' and '.join(['a'] * 3000)}").count("AND") == 2999
