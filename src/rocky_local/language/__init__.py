"""The engine's pipeline language: a list of steps, lowered to one SELECT (contract, 14).

`tokens` reads the words, `syntax` says what a step is, `expressions` and `parser` read them, `lowering` makes one query
of all steps, `printing` writes it down in the engine's layout.
"""

from rocky_local.language.lowering import lower
from rocky_local.language.parser import parse
from rocky_local.language.printing import to_text
from rocky_local.language.syntax import Replicate


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
    return text.replace("\n", " ") if steps[1:] == [Replicate()] else text
