"""Engine runs made up at random: what the engine prints, how it ends, and what is true of everything it was asked for.

`engine_answers(units)` draws the truth first, then what the engine would say of it (contract, sections 2.3 and 5 to 7),
so that a test can hold what a step tells against what really was.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from dagster_rocky.planning.plan import Unit
from dagster_rocky.vocabulary import EngineAsset, EngineKey
from support.engine_truth import REASONS, Ending, EngineAnswer, Fate, UnitKey
from support.sprinkling import sprinkled

RUN_ID = "run-20261126-102705-249"
_texts = st.sampled_from(
    [
        'DuckDB error: Catalog Error: Table with name orders does not exist!\nDid you mean "sorted"?: Error code 1',
        "dialect error: invalid SQL identifier 'a-b': must match [a-zA-Z0-9_]+",
        "401 Unauthorized",
        "",
        'größer als erwartet: {"a": [1]}\n{\n}',
    ]
)
_kinds = st.sampled_from(
    [
        "unknown", "connection-failed", "auth-failed", "query-rejected", "transient", "quota-exceeded", "not-found",
        "compile-error", "kind-of-tomorrow", None,
    ]
)  # fmt: skip
_EARLIER = {"hour": "1999-12-31T23", "day": "1999-12-31", "month": "1999-12", "year": "1999"}
"""Partitions that a lookback may build though nobody asked."""
_counts = st.none() | st.integers(0, 10**12)


@st.composite
def engine_answers(
    draw: st.DrawFn,
    units: Sequence[Unit],
    *,
    extras: Sequence[EngineAsset] = (),
    endings: Sequence[Ending] = tuple(Ending),
    nulls: bool = True,
) -> EngineAnswer:
    """Random answers of the engine to a run that was asked for some units.

    Args:
        draw: Hypothesis' own.
        units: What was asked for: of one command, in the order in which the engine builds it.
        extras: What the same run touches besides.
        endings: The endings to choose from.
        nulls: Whether to set null, leave out and add what says nothing about the truth.
    """
    ending = draw(st.sampled_from(endings))
    story = _Story(draw, units, extras, ending)
    document = story.document()
    if nulls and document is not None:
        document = draw(sprinkled(document))
    exit_code = story.exit_code()
    return EngineAnswer(
        ending=ending,
        document=document,
        stdout=story.stdout(document),
        stderr=story.stderr(exit_code),
        exit_code=exit_code,
        fates=story.fates,
        verdicts={name: tuple(found) for name, found in story.verdicts.items()},
        severities={name: tuple(found) for name, found in story.severities.items()},
        also_built=tuple(story.also_built),
        other_errors=tuple(story.other_errors),
        live=story.live(),
    )


class _Story:
    """One run: who meets which fate, and how the engine tells it."""

    def __init__(
        self, draw: st.DrawFn, units: Sequence[Unit], extras: Sequence[EngineAsset], ending: Ending
    ) -> None:
        self.draw, self.units, self.extras, self.ending = draw, list(units), list(extras), ending
        self.contains = draw(st.booleans())
        self.fates: dict[UnitKey, Fate] = {}
        self.verdicts: dict[tuple[EngineKey, str], list[bool | None]] = {}
        self.severities: dict[tuple[EngineKey, str], list[str]] = {}
        self.also_built: list[UnitKey] = []
        self.other_errors: list[str] = []
        self.errors: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.built: list[dict[str, Any]] = []
        self._choose_fates()

    def _choose_fates(self) -> None:
        everybody = {
            Ending.SAME_REQUEST: Fate.SAME_REQUEST,
            Ending.IN_FLIGHT: Fate.IN_FLIGHT,
            Ending.NOT_COMPILED: Fate.FAILED,
            Ending.NO_JSON: Fate.UNKNOWN,
            Ending.CUT_OFF: Fate.UNKNOWN,
            Ending.NOT_JSON: Fate.UNKNOWN,
        }.get(self.ending)
        all_well = self.ending is Ending.BUDGET or self.draw(st.booleans())
        stopped = False
        for unit in self.units:
            fate = everybody or (Fate.BUILT if all_well else self._fate_of(unit))
            if stopped and everybody is None and unit.asset.kind != "table":
                fate = Fate.NOT_REACHED
            stopped = stopped or (fate is Fate.FAILED and unit.engine_partition is None and not self.contains)
            self.fates[unit.asset.engine_key, unit.engine_partition] = fate

    def _fate_of(self, unit: Unit) -> Fate:
        kind = unit.asset.kind
        if kind == "quality":
            return Fate.BUILT
        choices = [Fate.BUILT, Fate.BUILT, Fate.FAILED, Fate.NOT_REACHED]
        if unit.engine_partition is None:
            choices += [Fate.CONTRADICTED, Fate.CONTRADICTED, *(REASONS if kind == "table" else ())]
            choices += [Fate.SKIPPED] if kind == "model" else []
        choices += [Fate.CONTAINED] if kind == "model" and self.contains else []
        return self.draw(st.sampled_from(choices))

    def of(self, *fates: Fate) -> Iterator[Unit]:
        """The units of these fates."""
        return (u for u in self.units if self.fates[u.asset.engine_key, u.engine_partition] in fates)

    def document(self) -> dict[str, Any] | None:
        """The JSON that the engine would print."""
        if self.ending in (Ending.NO_JSON, Ending.NOT_JSON):
            return None
        draw = self.draw
        kinds = {unit.asset.kind for unit in self.units}
        found: dict[str, Any] = {
            "version": "1.71.0",
            "command": "run",
            "status": "Success",
            "pipeline_type": "quality"
            if kinds == {"quality"}
            else draw(st.sampled_from(["replication", "transformation"])),
            "filter": "",
            "duration_ms": draw(st.integers(0, 10**7)),
            "tables_failed": 0,
            "check_results": [],
            "execution": {"concurrency": 4, "tables_processed": 0, "tables_failed": 0},
            "metrics": None,
            "permissions": {
                "grants_added": 0,
                "grants_revoked": 0,
                "catalogs_created": 0,
                "schemas_created": 1,
            },
            "interrupted": self.ending is Ending.INTERRUPTED,
        }
        if self.ending in (Ending.SAME_REQUEST, Ending.IN_FLIGHT):
            status = "SkippedIdempotent" if self.ending is Ending.SAME_REQUEST else "SkippedInFlight"
            skipped = {"status": status, "skipped_by_run_id": "run-before", "idempotency_key": "key-1"}
            return {**found, "tables_copied": 0, "materializations": [], **skipped}
        self._tell_built()
        self._tell_failures()
        found |= {
            "materializations": draw(st.permutations(self.built)),
            "errors": self.errors,
            "tables_failed": sum(not error["asset_key"] for error in self.errors),
            "check_results": draw(st.permutations(list(self._checks()))),
            "excluded_tables": [self._excluded(unit.asset) for unit in self.of(*REASONS)],
            "model_decisions": self._decisions(),
            "contained": [self._contained(unit.asset) for unit in self.of(Fate.CONTAINED)],
            "drift": self._drift(),
            "anomalies": self._anomalies(),
            "partition_summaries": self._partition_summaries(),
            "quarantine": self._quarantine() if kinds == {"quality"} else [],
            "cost_summary": {
                "total_cost_usd": 0.0,
                "total_duration_ms": 9,
                "per_model": [],
                "adapter_type": "duckdb",
            },
            "budget_breaches": self._breaches(),
            "override_warnings": [],
            "scheduling_warnings": [],
        }
        found["tables_copied"] = len(self.built) if "table" in kinds else 0
        if self.errors and self.ending is not Ending.INTERRUPTED:
            found["status"] = "PartialFailure" if self.built else "Failure"
        return found

    def _tell_built(self) -> None:
        for unit in self.of(Fate.BUILT, Fate.CONTRADICTED):
            if unit.asset.kind != "quality":
                self.built.append(self._materialization(unit.asset, unit.engine_partition))
        asked = {(unit.asset.engine_key, unit.engine_partition) for unit in self.units}
        for extra in self.extras:
            if self.ending is not Ending.NOT_COMPILED and self.draw(st.booleans()):
                self.built.append(self._materialization(extra, None))
                self.also_built.append((extra.engine_key, None))
        grains = [unit.asset for unit in self.of(Fate.BUILT) if unit.engine_partition is not None]
        for asset in {asset.engine_key: asset for asset in grains}.values():
            earlier = _EARLIER[asset.granularity or "day"]
            if (asset.engine_key, earlier) not in asked and self.draw(st.booleans()):
                self.built.append(self._materialization(asset, earlier))
                self.also_built.append((asset.engine_key, earlier))

    def _materialization(self, asset: EngineAsset, partition: str | None) -> dict[str, Any]:
        draw = self.draw
        strategies = ["full_refresh", "incremental", "merge", "view", "time_interval", "strategy_of_tomorrow"]
        found = {
            "asset_key": list(asset.engine_key),
            "rows_copied": draw(_counts),
            "duration_ms": draw(st.integers(0, 10**7)),
            "started_at": "2026-11-26T10:27:05.249583114Z",
            "metadata": {
                "strategy": draw(st.sampled_from(strategies)),
                "target_table_full_name": asset.target or ".".join(asset.engine_key),
                **draw(
                    st.sampled_from(
                        [
                            {"watermark": "2026-11-26T10:27:05.249583114Z"},
                            {"sql_hash": "e831c5c5e62bab6f", "column_count": 3, "compile_time_ms": 0},
                            {},
                        ]
                    )
                ),
            },
            "cost_usd": draw(st.sampled_from([0.0, 0.25, None])),
            **draw(st.sampled_from([{}, {"bytes_scanned": 10, "bytes_written": 0}])),
        }
        if partition is not None:
            found["partition"] = {"key": partition, "start": None, "end": None}
        return found

    def _tell_failures(self) -> None:
        if self.ending is Ending.NOT_COMPILED:
            text = "dependency resolution failed: 1 model(s) failed to parse:\n  models/a.sql: expected an expression"
            self._error(["<compile>"], text, kind="compile-error")
            return
        for unit in self.of(Fate.FAILED, Fate.CONTRADICTED):
            asset, text = unit.asset, self.draw(_texts)
            if self.fates[asset.engine_key, unit.engine_partition] is Fate.CONTRADICTED:
                self._error(list(asset.engine_key), text)
            elif asset.kind == "table":
                if self.draw(st.booleans()):
                    self._log("retry also failed", "WARN", table=asset.name, error=text)
                names_it = asset.target and self.draw(st.booleans())
                self._error([], f"{text} in {asset.target}" if names_it else text)
            else:
                about = (
                    f"partition '{unit.engine_partition}' failed: {text}" if unit.engine_partition else text
                )
                if self.contains:
                    self._error([asset.name], about)
                else:
                    self._error(["<runtime>"], f"model '{asset.name}' failed: {about}")
        if self.draw(st.integers(0, 9)) == 0:
            self.other_errors.append("DuckDB error: nobody asked for this one")
            self._error(["nowhere", "else", "at_all"], self.other_errors[0])

    def _error(self, key: list[str], text: str, kind: str | None = None) -> None:
        found: dict[str, Any] = {"asset_key": key, "error": text, "failure_kind": kind or self.draw(_kinds)}
        if found["failure_kind"] == "quota-exceeded":
            found["cooldown_seconds"] = self.draw(st.sampled_from([0.02, None, 0.01]))
        if self.draw(st.integers(0, 4)) == 0:
            found["attempts"] = [{"attempt": 1, "error": text, "failure_kind": found["failure_kind"]}, {}]
        self.errors.append(found)

    def _checks(self) -> Iterator[dict[str, Any]]:
        """Results of what was built, in the declared order; some are left out, some nobody declared."""
        for asset in {unit.asset.engine_key: unit.asset for unit in self.of(Fate.BUILT)}.values():
            names = [check.engine_name for check in asset.checks]
            told = [name for name in names if self.draw(st.integers(0, 5))]
            if self.draw(st.integers(0, 5)) == 0:
                told.append(self.draw(st.sampled_from(["check:of tomorrow", *names])))
            if told or self.draw(st.booleans()):
                results = [self._check(asset.engine_key, name) for name in told]
                yield {"asset_key": list(asset.engine_key), "checks": results}

    def _check(self, key: EngineKey, name: str) -> dict[str, Any]:
        passed = self.draw(st.sampled_from([True, True, False, None]))
        severity = self.draw(st.sampled_from(["error", "warning"]))
        self.verdicts.setdefault((key, name), []).append(passed)
        self.severities.setdefault((key, name), []).append(severity)
        details = [
            {"kind": "expression", "failing_rows": 0 if passed else 3},
            {"source_count": 5, "target_count": 5},
            {"missing": [], "extra": ["lux"]},
            {"query": "SELECT COUNT(*)", "result_value": 0, "threshold": 0.5},
            {"lag_seconds": None, "threshold_seconds": 60},
            {},
        ]
        return {"name": name, "passed": passed, "severity": severity, **self.draw(st.sampled_from(details))}

    def _excluded(self, asset: EngineAsset) -> dict[str, Any]:
        fate = self.fates[asset.engine_key, None]
        key, reason = list(asset.engine_key), REASONS[fate]
        return {
            "asset_key": key,
            "source_schema": asset.source_id,
            "table_name": asset.name,
            "reason": reason,
        }

    def _decisions(self) -> list[dict[str, Any]]:
        skipped = [
            {"model": unit.asset.name, "decision": "skip", "reason": "upstream data did not change"}
            for unit in self.of(Fate.SKIPPED)
        ]
        built = [
            {"model": unit.asset.name, "decision": "build", "reason": "no comparable logic key"}
            for unit in self.of(Fate.BUILT)
            if unit.asset.kind == "model"
        ]
        return [*skipped, *(built if skipped else [])]

    def _contained(self, asset: EngineAsset) -> dict[str, Any]:
        blockers = [unit.asset.name for unit in self.of(Fate.FAILED)] or ["something_before"]
        hint = self.draw(st.sampled_from([None, f"fix {blockers[0]}"]))
        return {"model": asset.name, "blocked_by": blockers, "unblock_hint": hint}

    def _drift(self) -> dict[str, Any]:
        tables = [
            unit.asset for unit in self.of(Fate.BUILT) if unit.asset.kind == "table" and unit.asset.target
        ]
        drifted = self.draw(st.lists(st.sampled_from(tables), max_size=2)) if tables else []
        actions = [
            {"table": asset.target, "action": action, "reason": "column 'pct' widened INTEGER → BIGINT"}
            for asset in drifted
            for action in self.draw(
                st.lists(
                    st.sampled_from(["add_columns", "alter_column_types", "drop_and_recreate"]), max_size=2
                )
            )
        ]
        return {"tables_checked": len(tables), "tables_drifted": len(actions), "actions_taken": actions}

    def _anomalies(self) -> list[dict[str, Any]]:
        targets = [unit.asset.target for unit in self.of(Fate.BUILT) if unit.asset.kind == "table"]
        return [
            {
                "table": target,
                "current_count": 20,
                "baseline_avg": 324.0,
                "deviation_pct": 93.8,
                "reason": "fewer",
            }
            for target in targets
            if target and self.draw(st.integers(0, 4)) == 0
        ]

    def _partition_summaries(self) -> list[dict[str, Any]]:
        partitioned = [unit for unit in self.units if unit.engine_partition is not None]
        found = []
        for name in dict.fromkeys(unit.asset.name for unit in partitioned):
            mine = [
                self.fates[u.asset.engine_key, u.engine_partition]
                for u in partitioned
                if u.asset.name == name
            ]
            done, failed = mine.count(Fate.BUILT), mine.count(Fate.FAILED)
            counts = {
                "partitions_planned": len(mine),
                "partitions_succeeded": done,
                "partitions_failed": failed,
            }
            found.append({"model": name, **counts})
        return found

    def _quarantine(self) -> list[dict[str, Any]]:
        return [
            {
                "asset_key": list(unit.asset.engine_key), "mode": "split", "valid_table": "w.s.t__valid",
                "quarantine_table": "w.s.t__quarantine", "valid_rows": 3, "quarantined_rows": 1, "ok": True,
            }
            for unit in self.of(Fate.BUILT)
            if self.draw(st.integers(0, 2)) == 0
        ]  # fmt: skip

    def _breaches(self) -> list[dict[str, Any]]:
        if self.ending is not Ending.BUDGET and self.draw(st.integers(0, 4)):
            return []
        return [{"limit_type": "max_duration_ms", "limit": 0.0, "actual": 184.0}]

    def _failing_error_check(self) -> bool:
        return any(
            not passed and severity == "error"
            for name, verdicts in self.verdicts.items()
            for passed, severity in zip(verdicts, self.severities[name], strict=True)
        )

    def exit_code(self) -> int:
        """The exit code that the engine would end with (contract, section 1.2)."""
        if self.ending is Ending.ODD_EXIT:
            return self.draw(st.sampled_from([1, 2, 3, 4, 101, 130]))
        if self.ending is Ending.NO_JSON:
            return self.draw(st.sampled_from([0, 1, 2, 101, -6, -9, -13, -15]))
        if self.ending in (Ending.CUT_OFF, Ending.NOT_JSON):
            return self.draw(st.sampled_from([0, 1, -9]))
        if self.ending is Ending.INTERRUPTED:
            return 130
        quality = all(unit.asset.kind == "quality" for unit in self.units)
        if self.ending is Ending.BUDGET or (quality and self._failing_error_check()):
            return 1
        return (2 if self.built else 1) if self.errors else 0

    def _log(self, message: str, level: str = "INFO", **fields: Any) -> None:
        span = {"run_id": RUN_ID, "name": "run"}
        self.lines.append(
            {
                "timestamp": "2026-11-26T10:27:05.249583Z", "level": level, "fields": {"message": message, **fields},
                "target": "rocky_cli::commands::run", "span": span, "spans": [span],
            }
        )  # fmt: skip

    def stderr(self, exit_code: int) -> str:
        """The log lines, and the error text where the engine prints one."""
        start = len(self.lines)
        self._log("resolved pipeline", pipeline="p", pipeline_type="replication")
        self.lines = [*self.lines[start:], *self.lines[:start]]
        text = "".join(f"{_dumps(line)}\n" for line in self.lines)
        reason = {
            Ending.BUDGET: "budget exceeded — max_duration_ms: actual 184 > limit 0",
            Ending.NO_JSON: "failed to load config from rocky.toml\n\nCaused by:\n    no such file",
        }.get(self.ending, f"{len(self.errors)} table(s) failed during parallel execution (run_id: {RUN_ID})")
        return f"{text}Error: {reason}\n" if exit_code == 1 else text

    def stdout(self, document: dict[str, Any] | None) -> str:
        """What is printed: the JSON, half of it, other text, or nothing."""
        if document is None:
            return "" if self.ending is Ending.NO_JSON else "Loaded 3 files.\n"
        text = _dumps(document, indent=2) + "\n"
        if self.ending is Ending.CUT_OFF:
            return text[: self.draw(st.integers(2, len(text) - 3))]
        return self.draw(st.sampled_from(["", "", "Load complete\n  2 files\n"])) + text

    def live(self) -> tuple[EngineAsset, ...]:
        """Tables that a hook tells of: some of those that were built, and now and then one that failed later."""
        told = [
            unit.asset
            for unit in self.of(Fate.BUILT, Fate.CONTRADICTED, Fate.UNKNOWN)
            if unit.asset.kind == "table" and unit.asset.target
        ]
        return tuple(self.draw(st.lists(st.sampled_from(told), unique_by=id))) if told else ()


def _dumps(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)
