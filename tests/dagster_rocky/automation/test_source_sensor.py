"""Which runs does the source sensor request, and what does it say when it requests none?"""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_rocky import RockyComponent
from dagster_rocky.automation import source_sensor
from dagster_rocky.automation.cursor import SourceCursor
from dagster_rocky.automation.source_sensor import SENSOR_TAG, build_rocky_source_sensor
from dagster_rocky.project.snapshot import ProjectSnapshot
from support.stand_in import write_engine

# What `discover` prints is in a file, so that a test can change the world between two ticks.
ENGINE = """
from pathlib import Path
answer = Path(sys.argv[0]).with_name("discovered.json").read_text()
if answer.startswith("fail"):
    sys.stderr.write("Error: " + answer[5:]); sys.exit(1)
print(answer)
"""
TABLES = ("orders", "visits")


class World:
    """Sources that sync, fail and go, and the sensor that looks at them."""

    def __init__(self, folder: Path, **attributes: Any) -> None:
        self.answer = folder / "discovered.json"
        resource = write_engine(folder, ENGINE)
        self.component = RockyComponent(
            config_path=resource.config_path, binary_path=resource.binary_path, **attributes
        )
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: str | None = None
        self.defs = self.component.build_defs_from_snapshot(snapshot())

    def discovers(self, *failed: str, **synced: str | None) -> None:
        document = {
            "version": "1.71.0",
            "command": "discover",
            "sources": [
                {
                    "id": name,
                    "components": {"shop": name},
                    "source_type": "fivetran",
                    "last_sync_at": at,
                    "tables": [{"name": table} for table in TABLES],
                }
                for name, at in synced.items()
            ],
        }
        if failed:
            document["failed_sources"] = [
                {
                    "id": name,
                    "schema": name,
                    "source_type": "fivetran",
                    "error_class": "timeout",
                    "message": "slow",
                }
                for name in failed
            ]
        self.answer.write_text(json.dumps(document, indent=2))

    def job(self) -> dg.JobDefinition:
        graph = self.defs.resolve_asset_graph()
        return dg.define_asset_job("everything").resolve(asset_graph=graph)

    def tick(self, **options: Any) -> dg.SensorResult:
        sensor = build_rocky_source_sensor(self.component, name="syncs", **options)
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=self.defs)
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result


def snapshot() -> ProjectSnapshot:
    return ProjectSnapshot.model_validate(
        {
            "fingerprint": "",
            "refreshed_at": "2026-05-01T00:00:00Z",
            "first_partition": "2026-01-01",
            "pipelines": [
                {
                    "name": "landing",
                    "type": "replication",
                    "warehouse": "duckdb",
                    "catalog_template": "wh",
                    "schema_template": "lake__{shop}",
                    "sources": [
                        {
                            "id": shop,
                            "source_type": "fivetran",
                            "components": {"shop": shop},
                            "tables": TABLES,
                        }
                        for shop in ("north", "south", "west")
                    ],
                }
            ],
        }
    )


def selected(result: dg.SensorResult) -> list[list[str]]:
    return [
        sorted(key.to_user_string() for key in request.asset_selection or [])
        for request in result.run_requests or []
    ]


def tables_of(*shops: str) -> list[str]:
    return sorted(f"fivetran/{shop}/{table}" for shop in shops for table in TABLES)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_there_at_first_is_remembered_and_what_moves_is_run_once(world: World) -> None:
    world.discovers(north="2026-05-01", south="2026-05-01", west=None)
    first = world.tick()
    assert selected(first) == []
    assert "2 sources are remembered" in str(first.skip_reason)
    assert "1 sources tell no last sync" in str(first.skip_reason)

    world.discovers(north="2026-05-02", south="2026-05-01", west=None)
    assert selected(world.tick()) == [tables_of("north")]

    quiet = world.tick()
    assert selected(quiet) == []
    assert "2 sources have not moved" in str(quiet.skip_reason)


def test_a_source_that_cannot_be_seen_neither_moves_nor_is_gone(world: World) -> None:
    world.discovers(north="2026-05-01", south="2026-05-01")
    world.tick()
    world.discovers("south", north="2026-05-01")
    blind = world.tick()
    assert selected(blind) == []
    assert "source south could not be seen (timeout: slow)" in str(blind.skip_reason)
    world.discovers(north="2026-05-01", south="2026-05-01")
    assert selected(world.tick()) == []
    world.discovers(north="2026-05-01", south="2026-05-03")
    assert selected(world.tick()) == [tables_of("south")]


def test_a_source_that_fails_in_the_first_tick_is_remembered_when_it_comes(world: World) -> None:
    world.discovers("south", north="2026-05-01")
    world.tick()
    world.discovers(north="2026-05-01", south="2026-05-01")
    back = world.tick()
    assert selected(back) == []
    assert "1 sources are remembered" in str(back.skip_reason)
    world.discovers(north="2026-05-01", south="2026-05-02")
    assert selected(world.tick()) == [tables_of("south")]


def test_an_answer_that_is_no_discovery_is_a_reason(world: World) -> None:
    world.answer.write_text('{\n"sources": 3\n}')
    assert "could not be discovered" in str(world.tick().skip_reason)


def test_a_broken_engine_is_a_reason_and_loses_nothing(world: World) -> None:
    world.discovers(north="2026-05-01")
    world.tick()
    world.answer.write_text("fail the warehouse is away")
    broken = world.tick()
    assert selected(broken) == []
    assert "pipeline landing could not be discovered: Error: the warehouse is away" in str(broken.skip_reason)
    world.discovers(north="2026-05-02")
    assert selected(world.tick()) == [tables_of("north")]


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 9}', '{"synced": 3}', "no json"])
def test_an_unreadable_cursor_starts_anew_and_says_so(world: World, text: str) -> None:
    world.cursor = text
    world.discovers(north="2026-05-01")
    result = world.tick()
    assert selected(result) == []
    assert "starts anew" in str(result.skip_reason)
    world.discovers(north="2026-05-02")
    assert selected(world.tick()) == [tables_of("north")]


@pytest.mark.parametrize(
    ("text", "synced", "note"),
    [
        ('{"format": 2, "synced": {"landing": {"north": "1"}}}', {"north": "1"}, "format 2, and is read"),
        ('{"synced": {"landing": {"north": "1"}}}', {"north": "1"}, None),
        (
            '{"format": 2, "synced": {"landing": {"north": "1", "south": {"at": "1"}}, "odd": []}}',
            {"north": "1", "south": ""},
            "2 entries of the cursor could not be read",
        ),
    ],
)
def test_a_cursor_of_another_version_is_read_as_far_as_it_goes(
    world: World, text: str, synced: dict[str, str], note: str | None
) -> None:
    read, said = SourceCursor.read(text)
    assert read.synced == {"landing": synced}
    assert (said is None) if note is None else (note in str(said))

    world.cursor = text
    world.discovers(north="2", **({"south": "1"} if "south" in synced else {}))
    assert selected(world.tick()) == [tables_of("north")]
    assert json.loads(world.cursor)["format"] == 1


def test_what_a_newer_version_wrote_beside_it_does_not_disturb() -> None:
    cursor, note = SourceCursor.read('{"format": 1, "synced": {"landing": {"a": "1"}}, "colour": "blue"}')
    assert note is None
    assert cursor.synced == {"landing": {"a": "1"}}


def test_a_cap_counts_only_runs_of_this_sensor_and_the_rest_comes_later(world: World) -> None:
    world.discovers(north="1", south="1", west="1")
    world.tick()
    for tags in ({SENSOR_TAG: "another"}, {}):
        world.instance.create_run_for_job(world.job(), tags=tags)
    world.discovers(north="2", south="2", west="2")

    capped = world.tick(max_runs_in_flight=2)
    assert selected(capped) == [tables_of("north"), tables_of("south")]
    assert selected(world.tick(max_runs_in_flight=2)) == [tables_of("west")]


def test_a_sensor_of_this_name_elsewhere_does_not_count(world: World, monkeypatch) -> None:
    places = {"here": "__repository__@here", "there": "__repository__@there"}
    at = iter(["here", "here", "there", "here"])
    monkeypatch.setattr(source_sensor, "code_location", lambda context: places[next(at)])
    world.discovers(north="1", south="1")
    world.tick()
    world.discovers(north="2", south="1")
    (request,) = world.tick(max_runs_in_flight=1).run_requests
    assert request.tags["rocky/location"] == "__repository__@here"
    world.instance.create_run_for_job(world.job(), tags=dict(request.tags))

    world.discovers(north="3", south="1")
    cursor = world.cursor
    assert selected(world.tick(max_runs_in_flight=1)) == [tables_of("north")]
    world.cursor = cursor
    assert "1 more wait" in str(world.tick(max_runs_in_flight=1).skip_reason)


def test_runs_in_flight_hold_back_more(world: World) -> None:
    world.discovers(north="1", south="1")
    world.tick()
    world.instance.create_run_for_job(world.job(), tags={SENSOR_TAG: "syncs"})
    world.discovers(north="2", south="2")
    held = world.tick(max_runs_in_flight=1)
    assert selected(held) == []
    assert "2 more wait: max_runs_in_flight is 1" in str(held.skip_reason)
    assert selected(world.tick(max_runs_in_flight=3)) == [tables_of("north"), tables_of("south")]


def test_the_cap_counts_each_partition_of_a_pipeline(tmp_path: Path) -> None:
    world = World(tmp_path, partitions={"by": "shop"})
    world.discovers(north="1", south="1", west="1")
    world.tick()
    world.discovers(north="2", south="2", west="2")
    asked = [world.tick(per="pipeline", max_runs_in_flight=2).run_requests or [] for _ in range(3)]
    assert [[one.tags["rocky/sources"] for one in tick] for tick in asked] == [
        ["north, south", "north, south"],
        ["west"],
        [],
    ]


def test_one_time_in_another_spelling_has_not_moved(world: World) -> None:
    world.discovers(north="2026-01-01T00:00:00Z", south="2026-01-01T00:00:00Z")
    world.tick()
    world.discovers(north="2026-01-01T01:00:00+01:00", south="2026-01-01T00:00:01Z")
    assert selected(world.tick()) == [tables_of("south")]


def test_one_run_for_a_pipeline_and_tags_for_audit(world: World) -> None:
    world.discovers(north="1", south="1")
    world.tick()
    world.discovers(north="2", south="3")
    (request,) = world.tick(per="pipeline", tags={"team": "data"}).run_requests or []
    assert sorted(key.to_user_string() for key in request.asset_selection or []) == tables_of(
        "north", "south"
    )
    assert request.tags == {
        "team": "data", "rocky/sensor": "syncs", "rocky/sources": "north, south", "rocky/synced_at": "3",
    }  # fmt: skip


def test_no_time_is_left_and_the_pipeline_is_first_in_the_next_tick(world: World) -> None:
    world.discovers(north="1")
    late = world.tick(tick_seconds=0)
    assert "no time was left for pipeline landing" in str(late.skip_reason)
    assert SourceCursor.read(world.cursor)[0].next_pipeline == "landing"


def test_a_source_outside_the_graph_is_named(world: World) -> None:
    world.discovers(north="1", east="1")
    assert "not in the graph: east; refresh the state" in str(world.tick().skip_reason)


def test_partitions_by_component_value_are_requested(tmp_path: Path) -> None:
    world = World(tmp_path, partitions={"by": "shop"})
    world.discovers(north="1", south="1")
    world.tick()
    world.discovers(north="2", south="2")
    requests = world.tick(per="pipeline").run_requests or []
    assert sorted(str(request.partition_key) for request in requests) == ["north", "south"]
    assert all(len(request.asset_selection or []) == len(TABLES) for request in requests)


def test_source_assets_are_upstream_and_learn_of_their_sync(tmp_path: Path) -> None:
    world = World(tmp_path, sources={"as_assets": True, "key": "raw/{source}/{table}"})
    graph = world.defs.resolve_asset_graph()
    copy, source = dg.AssetKey(["fivetran", "north", "orders"]), dg.AssetKey(["raw", "north", "orders"])
    assert graph.get(copy).parent_keys == {source}
    assert graph.get(source).is_external
    world.discovers(north="1")
    world.tick()
    world.discovers(north="2")
    events = world.tick().asset_events
    assert {event.asset_key.to_user_string() for event in events} == {"raw/north/orders", "raw/north/visits"}
    assert {(event.tags or {})["dagster/data_version"] for event in events} == {"2"}


def test_a_sync_fires_the_condition_of_the_copies_once(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        sources={"as_assets": True},
        sensor={"request_runs": False},
        translation=lambda spec, props: spec.replace_attributes(
            automation_condition=dg.AutomationCondition.eager()
        ),
    )
    cursor = None

    def requested() -> list[str]:
        nonlocal cursor
        result = world.tick(request_runs=False)
        assert not result.run_requests
        for event in result.asset_events:
            world.instance.report_runless_asset_event(event)
        found = dg.evaluate_automation_conditions(world.defs, world.instance, cursor=cursor)
        cursor = found.cursor
        keys = world.defs.resolve_asset_graph().materializable_asset_keys
        return sorted(key.to_user_string() for key in keys if found.get_num_requested(key))

    world.discovers(north="1", south="1")
    assert requested() == []
    world.discovers(north="2", south="1")
    assert requested() == tables_of("north")
    assert requested() == []
    world.discovers(north="2", south="2")
    assert requested() == tables_of("south")


def test_a_sensor_that_would_do_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"set sources\.as_assets"):
        RockyComponent(sensor={"request_runs": False})


def test_sources_of_another_component_are_only_edges(tmp_path: Path) -> None:
    world = World(tmp_path, sources={"as_assets": True, "owned_elsewhere": True})
    others = [
        dg.AssetSpec(dg.AssetKey([shop, table])) for shop in ("north", "south", "west") for table in TABLES
    ]
    merged = dg.Definitions.merge(world.defs, dg.Definitions(assets=others))
    graph = merged.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["fivetran", "west", "visits"])).parent_keys == {
        dg.AssetKey(["west", "visits"])
    }
