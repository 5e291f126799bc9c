"""Rocky SQL projects as Dagster assets.

A name is imported when it is asked for: `dg` and Python look at the package more often than they need all of it.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_rocky.installation import refuse_the_other

refuse_the_other(Path(__file__).parent)

if TYPE_CHECKING:
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

_HOMES = {
    "DagsterRockyTranslator": "translator",
    "RockyAssetProps": "translator",
    "RockyComponent": "component",
    "RockyResource": "resource",
    "ScheduleOptions": "yaml.automation",
    "build_rocky_definitions": "standalone",
    "build_rocky_schedule": "automation.schedules",
    "build_rocky_source_sensor": "automation.source_sensor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
