"""The words of a drift action tell which columns changed, and before and after the right way round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_rocky.engine.news.drift import ColumnChange, column_changes

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
TYPES = st.sampled_from(["INTEGER", "VARCHAR", "DECIMAL(10,2)", "STRUCT(a INTEGER, b VARCHAR)", "DOUBLE[]"])
CHANGES = st.lists(st.tuples(NAMES, TYPES, TYPES), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("added column 'lux' (INTEGER)", ColumnChange("lux", None, "INTEGER")),
        ("column 'pct' widened INTEGER → BIGINT", ColumnChange("pct", "INTEGER", "BIGINT")),
        ("column 'pct' changed VARCHAR → BIGINT", ColumnChange("pct", "BIGINT", "VARCHAR")),
    ],
)
def test_one_column(reason, expected):
    assert column_changes(reason) == [expected]


@given(CHANGES)
def test_several_columns_of_any_type(changes):
    added = ", ".join(f"added column '{name}' ({new})" for name, _, new in changes)
    assert column_changes(added) == [ColumnChange(name, None, new) for name, _, new in changes]
    widened = ", ".join(f"column '{name}' widened {old} → {new}" for name, old, new in changes)
    assert column_changes(widened) == [ColumnChange(name, old, new) for name, old, new in changes]
    changed = ", ".join(f"column '{name}' changed {new} → {old}" for name, old, new in changes)
    assert column_changes(changed) == [ColumnChange(name, old, new) for name, old, new in changes]


@pytest.mark.parametrize("reason", ["", "the source was renamed", "added column 'a' (INTEGER); and more"])
def test_other_words_are_not_guessed_at(reason):
    assert column_changes(reason) == []
