"""Does the state sensor see that the project moved away from the defs state?"""

import dagster as dg
import duckdb

from dagster_rocky.automation.state_sensor import differences


def test_it_says_what_is_new_and_what_is_gone(load) -> None:
    loaded = load("tenants", state_sensor={"default_status": "RUNNING"})
    (sensor,) = [one for one in loaded.defs.sensors if one.name.endswith("state")]
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    before = list(differences(loaded.component.resource, loaded.snapshot))
    pipeline = next(one for one in loaded.snapshot.pipelines if one.type == "replication")
    source, other = pipeline.sources[0], pipeline.sources[1]
    database = next(loaded.folder.glob("*.duckdb"))
    with duckdb.connect(str(database)) as warehouse:
        warehouse.execute(f'CREATE TABLE "{source.id}".brand_new (id INTEGER)')
        warehouse.execute(f'DROP TABLE "{other.id}"."{other.tables[0]}"')
    (loaded.folder / "rocky.toml").write_text((loaded.folder / "rocky.toml").read_text() + "\n# changed\n")

    after = [text for text in differences(loaded.component.resource, loaded.snapshot) if text not in before]

    assert any(f"has new tables: {source.id}.brand_new" in text for text in after)
    assert any(f"has lost tables: {other.id}.{other.tables[0]}" in text for text in after)
    assert any("the project's files changed" in text for text in after)
    with dg.build_sensor_context(instance=loaded.instance) as context:
        reason = sensor(context)
    assert isinstance(reason, dg.SkipReason)
    assert "brand_new" in (reason.skip_message or "")


def test_a_source_that_cannot_be_asked_is_a_sentence_and_no_exception(load) -> None:
    loaded = load("tenants")
    (loaded.folder / "rocky.toml").write_text("[adapter\n")
    assert any(
        "could not be discovered" in text for text in differences(loaded.component.resource, loaded.snapshot)
    )
