"""Rocky SQL projects as Dagster assets."""

# ruff: noqa: E402 - what another distribution has overwritten must not be imported before it is refused
from pathlib import Path

from dagster_rocky.installation import refuse_the_other

refuse_the_other(Path(__file__).parent)

from dagster_rocky.automation.schedules import build_rocky_schedule
from dagster_rocky.automation.source_sensor import build_rocky_source_sensor
from dagster_rocky.component import RockyComponent
from dagster_rocky.resource import RockyResource
from dagster_rocky.standalone import build_rocky_definitions
from dagster_rocky.translator import DagsterRockyTranslator, RockyAssetProps
from dagster_rocky.yaml.automation import ScheduleOptions

__all__ = [
    "DagsterRockyTranslator",
    "RockyAssetProps",
    "RockyComponent",
    "RockyResource",
    "ScheduleOptions",
    "build_rocky_definitions",
    "build_rocky_schedule",
    "build_rocky_source_sensor",
]
