"""Texts that nobody would write give SQL or an error that says where, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rocky_local.errors import NotAQuery
from rocky_local.language import to_sql
from rocky_local.language.tokens import KEYWORDS
from rocky_local.project.lineage import analyse

MODELS = Path(__file__).parents[2] / "recordings" / "projects" / "orchard" / "models"
WORDS = (
    *sorted(KEYWORDS),
    *Path(__file__).with_name("odd_words.txt").read_text().split("\n"),
    "\n",
    "\0",
    "",
)


def _mutated(rng: random.Random, text: str) -> str:
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 0, 1, 1, 5, 40]))
        text = (
            text[:start] + rng.choice(["", " ", f" {rng.choice(WORDS)} ", text[start:end] * 2]) + text[end:]
        )
    return text


def _outcome(text: str) -> str:
    try:
        sql = to_sql(text)
    except NotAQuery as error:
        refused = error
    else:
        try:
            analyse(sql)
        except NotAQuery:
            return "no SQL"
        return "a query"
    lines = text.split("\n")
    assert 0 <= refused.line <= len(lines)
    assert 0 <= refused.column <= max(map(len, lines)) + 1
    return "refused"


@pytest.mark.parametrize("seed", range(4))
def test_changed_models_give_a_query_or_an_error(seed: int) -> None:
    rng = random.Random(seed)
    models = [path.read_text() for path in sorted(MODELS.glob("*.rocky"))]
    found = [_outcome(_mutated(rng, rng.choice(models))) for _ in range(250)]
    assert {"refused", "a query"} <= set(found)


@pytest.mark.parametrize("seed", range(4))
def test_heaps_of_words_give_a_query_or_an_error(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(1000):
        _outcome("from t " + " ".join(rng.choices(WORDS, k=rng.randint(1, 12))))


@pytest.mark.parametrize(
    "opening", ["(", "f(", "match a { > ", "not ", "- ", "a + (", "sum(a) over (sort ", "a and "]
)
def test_no_depth_ends_in_a_traceback(opening: str) -> None:
    for depth in (20, 26, 2000):
        _outcome(f"from t where {opening * depth}a")
        _outcome(f"from t where {opening * depth}")
