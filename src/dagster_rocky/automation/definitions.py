"""Which sensors and schedules does a component have?"""

from collections.abc import Sequence
from typing import Protocol

import dagster as dg

from dagster_rocky.automation.schedules import build_rocky_schedule
from dagster_rocky.automation.source_sensor import Watched, build_rocky_source_sensor
from dagster_rocky.automation.state_sensor import build_rocky_state_sensor
from dagster_rocky.graph.naming import op_name
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.yaml.automation import (
    ScheduleOptions,
    SensorOptions,
    StateSensorOptions,
    sensor_status,
)


class Automated(Watched, Protocol):
    """What the YAML says of automation."""

    sensor: SensorOptions | None
    state_sensor: StateSensorOptions | None
    schedules: Sequence[ScheduleOptions]

    @property
    def label(self) -> str:
        """What is unique to the component in names."""


def build_automation(
    component: Automated, assets: Sequence[dg.AssetsDefinition], snapshot: ProjectSnapshot
) -> dg.Definitions:
    """The sensors and schedules that the YAML asks for; nothing that it does not.

    Args:
        component: The component, whose graph is built.
        assets: Its definitions.
        snapshot: The project.

    Raises:
        UnusableSchedule: See `build_rocky_schedule`.
    """
    sensors: list[dg.SensorDefinition] = []
    if (sensor := component.sensor) is not None:
        sensors.append(
            build_rocky_source_sensor(
                component,
                name=op_name("rocky", component.label, "sources"),
                per=sensor.per,
                interval_seconds=sensor.every_seconds,
                tick_seconds=sensor.tick_seconds,
                request_runs=sensor.request_runs,
                max_runs_in_flight=sensor.max_runs_in_flight,
                tags=sensor.tags,
                default_status=sensor_status(sensor.default_status),
            )
        )
    if (state := component.state_sensor) is not None:
        sensors.append(
            build_rocky_state_sensor(
                component.resource,
                snapshot,
                name=op_name("rocky", component.label, "state"),
                interval_seconds=state.every_seconds,
                default_status=sensor_status(state.default_status),
            )
        )
    schedules = [build_rocky_schedule(assets, component.graph, options) for options in component.schedules]
    return dg.Definitions(sensors=sensors, schedules=schedules)
