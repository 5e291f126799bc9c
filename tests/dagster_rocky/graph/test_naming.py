"""Names that Dagster takes and that nothing else has; where there is no trouble they are Dagster's own."""

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky._dagster import is_valid_name
from dagster_rocky.graph.naming import input_names, numbered, op_name, output_names
from support.examples import examples

PARTS = st.text(st.sampled_from(["a", "b", "_", "-", ".", " ", "'", "=", "ö", "/", "1"]), max_size=4)
KEYS = st.lists(PARTS, min_size=1, max_size=3).map(dg.AssetKey)


def test_ordinary_keys_are_spelled_as_dagster_spells_them():
    specs = [dg.AssetSpec(["duckdb", "north", "t"]), dg.AssetSpec(["b", "marts", "daily.v1"])]
    check = dg.AssetCheckSpec("row_count", asset=specs[0].key)

    @dg.multi_asset(specs=specs, check_specs=[check], can_subset=True)
    def own():
        yield from ()

    ours = output_names([*(spec.key for spec in specs), check.key])
    assert set(ours.values()) == set(own.node_def.output_dict)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["b", "a-b"], ["b", "a_b"]),
        (["b", "crm", "t"], ["b", "crm__t"]),
        (["b", "größe"], ["b", "grösse"]),
        (["Monthly Sales"], ["Monthly_Sales"]),
        (["o'brien"], ["a=b"]),
        (["type"], ["class"]),
    ],
)
def test_keys_that_are_spelled_alike_or_are_no_names_get_names_of_their_own(first, second):
    keys = [dg.AssetKey(first), dg.AssetKey(second)]
    names = output_names(keys)
    assert len(set(names.values())) == 2
    assert all(is_valid_name(name) for name in names.values())
    assert names == output_names(reversed(keys)), "a name does not depend on the order"


@settings(max_examples=examples(100))
@given(st.lists(st.one_of(KEYS, st.builds(dg.AssetCheckKey, KEYS, PARTS)), unique=True, max_size=8))
def test_every_key_has_a_valid_name_of_its_own(keys):
    for names in (output_names(keys), input_names([key for key in keys if isinstance(key, dg.AssetKey)])):
        assert len(set(names.values())) == len(names)
        assert all(is_valid_name(name) for name in names.values())


def test_an_output_of_a_check_never_takes_the_name_of_an_asset():
    keys = [dg.AssetKey(["a", "b_c"]), dg.AssetCheckKey(dg.AssetKey(["a", "b"]), "c")]
    assert len(set(output_names(keys).values())) == 2


def test_ops_and_numbers():
    assert op_name("rocky", "lan ding", "", "größe") == "rocky_lan_ding_gr_e"
    assert numbered("a", {"a", "a_2"}) == "a_3"
