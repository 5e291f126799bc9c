"""What became of every selected asset: the ledger of a step, from which it is green or red."""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import dagster as dg

from dagster_rocky.engine.logs.decode import RunFacts
from dagster_rocky.planning.plan import Unit
from dagster_rocky.results import RunError, RunResult
from dagster_rocky.vocabulary import EngineAsset

_MODEL_IN_TEXT = re.compile(r"model '([^']+)'")
_MAX_ROWS = 1_000
_MAX_REASON = 1_000


class Status(StrEnum):
    """What became of a selected asset."""

    MATERIALIZED = "materialized"
    UNCHANGED = "unchanged"
    EXCLUDED = "excluded"
    FAILED = "failed"
    BLOCKED = "blocked"
    NOT_REPORTED = "not reported"

    @property
    def fails_the_step(self) -> bool:
        """Whether a step with such an outcome is red."""
        return self in (Status.FAILED, Status.BLOCKED, Status.NOT_REPORTED)


class OutcomeLedger:
    """Outcomes by unit; the first one that is noted stays.

    Args:
        units: What the step owes an outcome for, in the order in which it is shown.
    """

    def __init__(self, units: Iterable[Unit]) -> None:
        self._outcomes: dict[Unit, tuple[Status, str] | None] = dict.fromkeys(units)

    def note(self, unit: Unit, status: Status, reason: str = "") -> bool:
        """Sets the outcome of a unit that has none yet; returns whether it did."""
        if unit not in self._outcomes or self._outcomes[unit] is not None:
            return False
        self._outcomes[unit] = (status, reason[:_MAX_REASON])
        return True

    def status(self, unit: Unit) -> Status | None:
        """The outcome of a unit so far."""
        outcome = self._outcomes.get(unit)
        return outcome[0] if outcome else None

    def open_units(self, units: Iterable[Unit]) -> list[Unit]:
        """Those of the units that have no outcome yet."""
        return [unit for unit in units if unit in self._outcomes and self._outcomes[unit] is None]

    def close(self, units: Iterable[Unit], status: Status, reason: str) -> None:
        """Gives the same outcome to all of the units that have none yet."""
        for unit in self.open_units(units):
            self.note(unit, status, reason)

    def failures(self) -> list[tuple[Unit, Status, str]]:
        """Everything that makes the step red."""
        return [
            (unit, *outcome)
            for unit, outcome in self._outcomes.items()
            if outcome is not None and outcome[0].fails_the_step
        ]

    def table(self) -> dg.TableMetadataValue:
        """All outcomes as one table: what failed first, at most a thousand rows."""
        rows = [(unit, outcome) for unit, outcome in self._outcomes.items() if outcome is not None]
        rows.sort(key=lambda row: not row[1][0].fails_the_step)
        columns = [
            dg.TableColumn("asset"),
            dg.TableColumn("partition"),
            dg.TableColumn("outcome"),
            dg.TableColumn("reason"),
        ]
        return dg.MetadataValue.table(
            records=[
                dg.TableRecord(
                    {
                        "asset": unit.asset.asset_key.to_user_string(),
                        "partition": unit.partition or "",
                        "outcome": status.value,
                        "reason": reason,
                    }
                )
                for unit, (status, reason) in rows[:_MAX_ROWS]
            ],
            schema=dg.TableSchema(columns=columns),
        )

    def counts(self) -> str:
        """`3 materialized, 1 failed`, for a log line."""
        found = [outcome[0] for outcome in self._outcomes.values() if outcome is not None]
        return ", ".join(f"{found.count(status)} {status.value}" for status in Status if status in found)


def explain_open_units(
    open_units: Sequence[Unit], result: RunResult, facts: RunFacts, engine_error: str | None = None
) -> Iterator[tuple[Unit, Status, str]]:
    """The outcome of everything that a finished run was asked for and did not build, from what it says.

    Follows the contract's sections 2.3 and 5.4 to 5.6: failed tables have an empty key, failed models a name or
    `<runtime>`, a project that does not compile `<compile>`.
    """
    remaining = dict.fromkeys(open_units)
    excluded = {tuple(table.asset_key): table.reason for table in result.excluded_tables}
    skipped = {d.model: d.reason for d in result.model_decisions if d.decision == "skip"}
    contained = {c.model: c for c in result.contained}
    named = _errors_by_name(result.errors)
    for unit in open_units:
        asset = unit.asset
        if asset.engine_key in excluded:
            found = (Status.EXCLUDED, excluded[asset.engine_key])
        elif result.skipped_idempotent:
            found = (Status.UNCHANGED, f"run {result.skipped_by_run_id} finished the same request before")
        elif asset.name in skipped and asset.kind == "model":
            found = (Status.UNCHANGED, skipped[asset.name])
        elif asset.name in contained and asset.kind == "model":
            blocked = contained[asset.name]
            hint = f". {blocked.unblock_hint}" if blocked.unblock_hint else ""
            found = (Status.BLOCKED, f"blocked by {', '.join(blocked.blocked_by)}{hint}")
        else:
            error = named.get("/".join(asset.engine_key))
            if error is None and asset.kind != "table":
                error = named.get(asset.name) or named.get("<compile>")
            if error is None:
                continue
            found = (Status.FAILED, error)
        del remaining[unit]
        yield unit, *found
    yield from _explain_nameless(list(remaining), result, facts, engine_error)


def _errors_by_name(errors: Sequence[RunError]) -> dict[str, str]:
    """Error texts by model name or joined engine key; several for one name are joined."""
    texts: dict[str, str] = {}
    for error in errors:
        name = "/".join(error.asset_key)
        if name == "<runtime>":
            found = _MODEL_IN_TEXT.search(error.error)
            name = found.group(1) if found else "<compile>"
        if name:
            texts[name] = f"{texts[name]}\n{error.error}" if name in texts else error.error
    return texts


def _explain_nameless(
    units: Sequence[Unit], result: RunResult, facts: RunFacts, engine_error: str | None
) -> Iterator[tuple[Unit, Status, str]]:
    """Outcomes of what no error names: failed tables, and what the run never came to."""
    nameless = [error.error for error in result.errors if not error.asset_key]
    retried = dict(facts.failed_tables)
    tables = [unit for unit in units if unit.asset.kind == "table"]
    certain = len(nameless) >= len(tables)
    first = result.errors[0].error.split("\n", 1)[0] if result.errors else ""
    for unit in units:
        error = _error_of_table(unit.asset, nameless, retried) if unit.asset.kind == "table" else None
        if error is None and nameless and certain and unit.asset.kind == "table":
            error = (
                nameless[0] if len(set(nameless)) == 1 else "one of: " + " | ".join(dict.fromkeys(nameless))
            )
        if error is not None:
            yield unit, Status.FAILED, error
        elif result.interrupted:
            yield unit, Status.NOT_REPORTED, "the run was interrupted before the engine came to it"
        elif engine_error and not result.errors and result.exit_code:
            yield unit, Status.FAILED, engine_error
        elif first:
            yield unit, Status.NOT_REPORTED, f"the run ended before the engine came to it, after: {first}"
        else:
            yield (
                unit,
                Status.NOT_REPORTED,
                "the engine finished without a word about it; if the project changed, refresh the component's state",
            )


def _error_of_table(asset: EngineAsset, nameless: Sequence[str], retried: dict[str, str]) -> str | None:
    """The error of one table: by the name in its retry's log line, or by its target in the text."""
    if asset.target:
        _, _, schema_and_table = asset.target.partition(".")
        for text in nameless:
            if schema_and_table and schema_and_table in text:
                return text
    return retried.get(asset.name) if nameless else None
