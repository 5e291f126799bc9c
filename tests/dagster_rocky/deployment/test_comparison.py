"""After a shadow run each copied table is compared with its shadow: rows, columns, verdict."""

import sys

import dagster as dg
import pytest

from support.recorded import ENGINE, Loaded, Ran
from support.seeding import opened
from support.stand_in import PREAMBLE

LAGOON = 'key:"duckdb/lagoon/fleet/*"'
VESSELS = "duckdb/lagoon/fleet/vessels"
COMPARE = f"{VESSELS}:compare"
ALONE = dg.AssetSelection.checks(dg.AssetCheckKey.from_user_string(COMPARE))


def compares(loaded: Loaded) -> list[str]:
    path = loaded.folder / "calls"
    lines = [line.partition("rocky.toml ")[2] for line in path.read_text().splitlines()]
    return [line.removesuffix(" -o json") for line in lines if line.startswith("compare")]


def target(loaded: Loaded) -> str:
    return loaded.component.graph.nodes[dg.AssetKey(VESSELS.split("/"))].assets[0].target


def compared(ran: Ran) -> dict[str, str]:
    (row,) = ran.facts[COMPARE]["rocky/compared"].records
    return dict(row.data)


def test_a_shadow_run_is_compared_and_a_check_alone_compares_again(load, mode):
    loaded = load("tenants", mode=mode, checks={"compare": True})
    real = loaded.run(LAGOON)
    assert real.success, real.failures
    assert COMPARE not in real.checks and compares(loaded) == []

    ran = loaded.run(LAGOON, launch={"shadow": "_try"})
    assert ran.success and ran.checks[COMPARE], ran.failures
    assert compares(loaded) == ["compare --filter id=in__lagoon__fleet --shadow-suffix _try"]
    facts = compared(ran)
    assert (facts["row_count_match"], facts["verdict"]) == ("yes", "pass")
    assert (facts["production_table"], facts["shadow_table"]) == (target(loaded), f"{target(loaded)}_try")
    assert ran.facts[COMPARE]["rocky/shadow"] == "_try"

    with opened(next(loaded.folder.glob("*.duckdb"))) as connection:
        connection.execute(f"ALTER TABLE {target(loaded)}_try ADD COLUMN shelf INTEGER")
    again = loaded.run(ALONE, launch={"shadow": "_try"})
    assert again.success and again.materialized == [], again.failures
    assert (again.checks[COMPARE], again.severities[COMPARE]) == (False, "ERROR")
    assert "shelf INTEGER" in compared(again)["schema_diffs"]


def test_without_a_shadow_there_is_nothing_to_compare(load):
    loaded = load("tenants", checks={"compare": True})
    ran = loaded.run(ALONE)
    assert not ran.success and ran.checks == {}
    assert "There is no shadow to compare" in ran.failures[0] and "option `shadow`" in ran.failures[0]


def test_nothing_is_declared_that_nobody_asked_for(load):
    assert COMPARE not in load("tenants").checks()


def test_only_the_shadows_of_the_step_s_partitions_are_compared(load):
    loaded = load("tenants", checks={"compare": True}, partitions={"by": "operator"}, run={"shadow": "_try"})
    vessels = 'key:"duckdb/fleet/vessels"'
    assert loaded.run(vessels, partition="lagoon", launch={"shadow": "off"}).success
    ran = loaded.run(vessels, partition="lagoon")
    assert ran.success and ran.checks["duckdb/fleet/vessels:compare"], ran.failures
    (row,) = ran.facts["duckdb/fleet/vessels:compare"]["rocky/compared"].records
    assert "lagoon" in row.data["production_table"]


@pytest.mark.parametrize(
    ("says", "passed", "severity", "said"),
    [
        ('{"production_table": T, "verdict": "Warn", "rows_apart": 2}', False, "WARN", "rows_apart 2"),
        ('{"production_table": T, "verdict": "pass"}', True, "ERROR", ""),
        ('{"production_table": T.partition(".")[2], "verdict": "fail"}', False, "ERROR", ""),
        ('{"production_table": T, "verdict": "who knows"}', False, "ERROR", ""),
        ('{"production_table": "another", "verdict": "pass"}', False, "ERROR", "did not compare"),
    ],
)
def test_the_engine_s_words(load, says, passed, severity, said):
    loaded = load("tenants", checks={"compare": True}, run={"shadow": "_try"})
    answers(loaded, f'say({{"command": "compare", "results": [{says.replace("T", repr(target(loaded)))}]}})')
    ran = loaded.run(ALONE)
    assert ran.success, ran.failures
    assert (ran.checks[COMPARE], ran.severities[COMPARE]) == (passed, severity)
    assert said in str(ran.facts[COMPARE]) or said in told(loaded)


def test_an_engine_without_the_command_is_named(load):
    loaded = load("tenants", checks={"compare": True}, run={"shadow": "_try"})
    answers(loaded, "sys.stderr.write(\"error: unrecognized subcommand 'compare'\\n\"); sys.exit(2)")
    ran = loaded.run(LAGOON)
    assert ran.success and len(ran.materialized) == 2, ran.failures
    assert not ran.checks[COMPARE]
    assert "`rocky compare` failed" in str(ran.facts[COMPARE]["rocky/reason"])
    alone = loaded.run(ALONE)
    assert not alone.success and "unrecognized subcommand" in alone.failures[0]


def answers(loaded: Loaded, body: str) -> None:
    """Puts a script before the embedded engine that answers `compare` itself."""
    script = f"#!{sys.executable} -SE\n{PREAMBLE}\nif 'compare' in sys.argv:\n    {body}; sys.exit(0)\n"
    (loaded.folder / "engine").write_text(f"{script}os.execv({str(ENGINE)!r}, sys.argv)\n")


def told(loaded: Loaded) -> str:
    """The description of the check's last result."""
    key = dg.AssetCheckKey.from_user_string(COMPARE)
    (record,) = loaded.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    return record.event.dagster_event.asset_check_evaluation_data.description or ""
