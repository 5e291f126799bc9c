"""What a run ended with, in a form that can be compared between modes."""

import re
from collections.abc import Mapping

import dagster as dg

from dagster_rocky.step.events import COMPLETES

VOLATILE = {"rocky/run_id", "rocky/duration_seconds", "rocky/lag_seconds", "dagster/data_version"}
CLOCK = re.compile(r"20\d\d-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")
Event = tuple[str, str, str]


def facts(metadata: Mapping[str, dg.MetadataValue]) -> str:
    """Metadata without what differs from run to run."""
    return str(
        sorted(
            (
                name,
                sorted(value.value)
                if name in ("rocky/missing", "rocky/sample")
                else CLOCK.sub("<time>", str(value.value)),
            )
            for name, value in metadata.items()
            if name not in VOLATILE
        )
    )


def ended_with(result: dg.ExecuteInProcessResult) -> tuple[bool, set[Event], set[Event], set[Event]]:
    """Success, materializations with what completed them, check results, and the other observations of a run."""
    built: dict[tuple[str, str], dict[str, dg.MetadataValue]] = {}
    checks, observed = set(), set()
    for event in result.all_events:
        kind = event.event_type_value
        if kind == "ASSET_MATERIALIZATION":
            found = event.materialization
            built.setdefault((found.asset_key.to_user_string(), found.partition or ""), {}).update(
                found.metadata
            )
        elif kind == "ASSET_OBSERVATION":
            seen = event.asset_observation_data.asset_observation
            key = (seen.asset_key.to_user_string(), seen.partition or "")
            if COMPLETES in seen.metadata:
                built[key].update({k: v for k, v in seen.metadata.items() if k != COMPLETES})
            else:
                observed.add((*key, facts(seen.metadata)))
        elif kind == "ASSET_CHECK_EVALUATION":
            verdict = event.asset_check_evaluation_data
            checks.add(
                (
                    f"{verdict.asset_key.to_user_string()}:{verdict.check_name}",
                    f"{verdict.passed} {verdict.severity.value}",
                    facts(verdict.metadata),
                )
            )
    return result.success, {(*key, facts(metadata)) for key, metadata in built.items()}, checks, observed
