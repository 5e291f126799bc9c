"""Keys that more than one source has are told on every table of the name, as the engine's one result has them."""

import pytest

from support.seeding import opened

CHECK = "cross_source_overlap_duckdb_letters"
LETTERS = ("duckdb/harbour/letters", "duckdb/hill/letters")
NO_OVERLAP = """
DELETE FROM po_hill.letters WHERE letter_id = 2;
DELETE FROM sorted_hill.letters WHERE letter_id = 2;
"""


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_an_overlap_fails_on_all_siblings_and_passes_when_it_is_gone(load, mode: str) -> None:
    loaded = load("copies", mode=mode)
    checks = [f"{table}:{CHECK}" for table in LETTERS]
    assert set(checks) <= loaded.checks()

    overlapping = loaded.run()
    with opened(loaded.folder / "post.duckdb") as warehouse:
        warehouse.execute(NO_OVERLAP)
    apart = loaded.run('key:"duckdb/*/letters"')

    for ran, passed in ((overlapping, False), (apart, True)):
        assert ran.success, ran.failures
        assert {check: ran.checks[check] for check in checks} == dict.fromkeys(checks, passed)
        assert {ran.severities[check] for check in checks} == {"WARN"}
    assert {name for name, _ in apart.materialized} == set(LETTERS)
    facts = [overlapping.facts[check] for check in checks]
    assert facts[0] == facts[1]
    assert facts[0]["rocky/overlap_count"] == 1
    assert facts[0]["rocky/sample"] == ["2"]
    assert facts[0]["rocky/contributing_tables"] == [
        "post.sorted_harbour.letters",
        "post.sorted_hill.letters",
    ]
