"""The engine's pipeline language: a list of steps, lowered to one SELECT (contract, 14).

`tokens` reads the words, `expressions` what stands in a step, `steps` the steps; `lowering` makes one query of them and
writes it in the engine's layout.
"""

from sqlglot import exp

from rocky_local.language.lowering import lower, to_text
from rocky_local.language.steps import parse


def to_sql(source: str) -> str:
    r"""Return the query that a `.rocky` text means.

    Raises:
        NotAQuery: The text is not in the language, or its steps do not make a query.

    Example:
        >>> print(to_sql('from raw.trips\nwhere state == "ok"\ngroup shop { n: count() }'))
        SELECT shop, COUNT() AS n
        FROM raw.trips
        WHERE state = 'ok'
        GROUP BY shop
    """
    steps = parse(source)
    text = to_text(lower(steps))
    return text.replace("\n", " ") if len(steps) == 2 and isinstance(steps[1], exp.Star) else text
