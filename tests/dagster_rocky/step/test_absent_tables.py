"""A table that one tenant does not have is not in that partition: it is neither built nor failed."""

import pytest

TENANTS = ["fjordline", "lagoon", "northsea"]
REFUNDS, PASSENGERS = "duckdb/ticketing/refunds", "duckdb/ticketing/passengers"
ABSENT = "does not have this table"


def left_out(ran) -> set[str]:
    return {name for name, told in ran.observed if ABSENT in told}


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_a_table_that_a_tenant_lacks_is_not_in_its_partition(load, mode: str) -> None:
    loaded = load("tenants", mode=mode, partitions={"by": "operator", "dynamic": True})
    loaded.instance.add_dynamic_partitions("rocky_landing_operator", TENANTS)

    one = loaded.run(partition="lagoon")
    assert one.success, one.failures
    assert left_out(one) == {REFUNDS}
    assert {name for name, _ in one.materialized} == set(loaded.specs()) - {REFUNDS}
    assert loaded.calls() == ["run --pipeline landing --filter operator=lagoon"]

    several = loaded.run('key:"duckdb/ticketing/*"', partition_range=("lagoon", "northsea"))
    assert several.success, several.failures
    assert left_out(several) == {REFUNDS, PASSENGERS}
    assert (REFUNDS, "northsea") in several.materialized
    assert (PASSENGERS, "lagoon") in several.materialized
    assert not {(REFUNDS, "lagoon"), (PASSENGERS, "northsea")} & set(several.materialized)

    asked = len(loaded.calls())
    alone = loaded.run(f'key:"{REFUNDS}"', partition="lagoon")
    assert not alone.success
    assert "has no source for the partitions lagoon; it has northsea" in alone.failures[0]
    assert len(loaded.calls()) == asked
