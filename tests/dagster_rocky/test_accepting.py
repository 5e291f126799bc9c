"""What Dagster refuses costs itself; and the private names that are used are still there."""

import logging
from datetime import timedelta

import dagster as dg
import pytest

from dagster_rocky._dagster import is_valid_name
from dagster_rocky.accepting import REFUSALS, accepted, accepted_spec

KEY = dg.AssetKey(["b", "t"])
POLICY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1))


@pytest.mark.parametrize(
    ("attributes", "kept", "named"),
    [
        ({"owners": ["team:", "team:ovens"]}, {"owners": ["team:ovens"]}, "owners ['team:']"),
        ({"tags": {"é": "x", "tier": "gold"}}, {"tags": {"tier": "gold"}}, "tags {'é': 'x'}"),
        ({"tags": {"tier": "a/b"}, "code_version": "1"}, {"tags": {}, "code_version": "1"}, "'a/b'"),
        ({"group_name": "a b", "kinds": {"rocky"}}, {"group_name": None, "kinds": {"rocky"}}, "'a b'"),
        ({"metadata": {1: 2, "a": 3}}, {"metadata": {"a": 3}}, "metadata {1: 2}"),
        (
            {"owners": ["team:"], "freshness_policy": POLICY},
            {"owners": [], "freshness_policy": POLICY},
            "team:",
        ),
        ({"description": 5, "tags": {"a": "b"}}, {"description": None}, "description 5"),
    ],
)
def test_a_refused_attribute_is_left_out_by_name_and_the_rest_stays(attributes, kept, named, caplog):
    with caplog.at_level(logging.WARNING, logger="dagster_rocky"):
        spec = accepted_spec(KEY, attributes)
    assert spec.key == KEY
    for name, value in kept.items():
        found = getattr(spec, name)
        if name == "tags":
            found = {key: text for key, text in found.items() if not key.startswith("dagster/kind/")}
        assert found == value
    (line,) = caplog.messages
    assert named in line
    assert "asset b/t" in line


def test_what_dagster_takes_is_taken_without_a_word(caplog):
    spec = accepted_spec(
        KEY, {"owners": ["team:a"], "kinds": {"rocky"}, "metadata": {"a": 1}, "tags": {"t": "v"}}
    )
    assert (spec.owners, spec.kinds, spec.metadata) == (["team:a"], {"rocky"}, {"a": 1})
    assert caplog.messages == []


@pytest.mark.parametrize(
    "refused",
    [
        lambda: dg.AssetSpec("a", group_name="not a name"),
        lambda: dg.AssetSpec("a", description=1),
        lambda: dg.TableColumn(name=None),
        lambda: dg.FreshnessPolicy.time_window(fail_window=timedelta(seconds=1)),
        lambda: timedelta(seconds=10**30),
        lambda: dg.StaticPartitionsDefinition(["a...b"]),
        lambda: dg.TableColumnLineage({"a": [dg.TableColumnDep(KEY, "x"), dg.TableColumnDep(KEY, "x")]}),
    ],
)
def test_every_way_in_which_dagster_refuses_is_known(refused, caplog):
    with pytest.raises(REFUSALS):
        refused()
    assert accepted("a thing", refused) is None
    assert "a thing is left out" in caplog.text


def test_names_that_dagster_keeps_for_itself_are_no_names():
    """`dagster._core.definitions.utils.is_valid_name`: where it moves, follow it; outputs and ops are named by it."""
    assert is_valid_name("b__t")
    for name in ("type", "class", "a b", "größe", ""):
        assert not is_valid_name(name)
