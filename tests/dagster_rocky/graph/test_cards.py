"""What a card of the graph shows, the last part of a key and the first line of its description, is unique."""

from collections import Counter

import pytest

from dagster_rocky.graph.nodes import Products
from dagster_rocky.graph.ownership import Ownership
from dagster_rocky.project.snapshot import Model, Pipeline, ProjectSnapshot, Seed, Source
from dagster_rocky.translator import DagsterRockyTranslator
from dagster_rocky.yaml.options import PartitionsOptions


def cards(snapshot: ProjectSnapshot, **options) -> list[tuple[str, str]]:
    products = Products(snapshot=snapshot, ownership=Ownership(), **options).all()
    specs = [DagsterRockyTranslator().get_asset_spec(product.props) for product in products]
    return [(spec.key.path[-1], spec.description.split("\n")[0]) for spec in specs]


def source(pipeline: str, **components: str) -> Source:
    return Source(
        id="_".join([pipeline, *components.values()]), source_type=pipeline, components=components, tables=["weather"]
    )  # fmt: skip


def replication(name: str, *sources: Source) -> Pipeline:
    return Pipeline(name=name, type="replication", sources=list(sources))


def model(name: str, target: str, intent: str | None = None) -> Model:
    return Model(name=name, target=target, strategy="view", intent=intent, sql="SELECT 1")


ALIKE = ProjectSnapshot(
    pipelines=[
        replication("tower", *(source("tower", airport=a, kind=k) for a in ("jfk", "lga") for k in "xy")),
        replication("one", source("one")),
        replication("two", source("two")),
        Pipeline(name="files", type="load", targets=["db.files.weather"]),
        Pipeline(name="more_files", type="load", targets=["db.more.weather"]),
        Pipeline(name="history", type="snapshot", targets=["db.history.weather"]),
        Pipeline(name="old_history", type="snapshot", targets=["db.old.weather"]),
    ],
    models=[
        model("weather", "db.marts.weather", "How it was."),
        model("weather_north", "db.north.weather", "How it was."),
        model("weather_south", "db.south.weather", "How it was."),
        model("weather_east", "db.east.weather"),
        model("rain", "db.marts.rain"),
    ],
    seeds=[
        Seed(name="jfk_weather", target="db.jfk.weather"),
        Seed(name="lga_weather", target="db.lga.weather"),
    ],
)


@pytest.mark.parametrize("key_style", ["engine", "warehouse"])
def test_no_two_cards_are_alike(key_style: str):
    shown = cards(ALIKE, key_style=key_style)
    assert [card for card, number in Counter(shown).items() if number > 1] == []
    assert len([last for last, _ in shown if last == "weather"]) == len(shown) - 1 == 16


def test_a_card_shows_what_tells_it_apart():
    shown = [line for _, line in cards(ALIKE)]
    assert "weather · jfk · x" in shown
    assert "weather · one" in shown
    assert "How it was." in shown
    assert "weather_north · How it was." in shown
    assert "weather_east · east" in shown
    assert "rain · marts" in shown


def test_a_table_with_a_partition_for_each_airport_shows_the_rest():
    by_airport = PartitionsOptions(by="airport")
    shown = [line for _, line in cards(ProjectSnapshot(pipelines=ALIKE.pipelines[:1]), partitions=by_airport)]
    assert shown == ["weather · x", "weather · y"]


@pytest.mark.parametrize("project", ["marts", "tenants", "kinds"])
def test_no_two_cards_of_a_project_are_alike(project: str, snapshots):
    shown = cards(snapshots(project))
    assert [card for card, number in Counter(shown).items() if number > 1] == []
