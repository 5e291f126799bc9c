"""What does the engine report of its past and of the project's rules, without running anything?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from dagster_rocky import results

if TYPE_CHECKING:
    from dagster_rocky.results import (
        CompareResult,
        ComplianceResult,
        CostResult,
        DoctorResult,
        HistoryResult,
        MetricsResult,
        OptimizeResult,
        RetentionStatusResult,
        TraceResult,
    )


Result = TypeVar("Result", bound=BaseModel)


class EngineReports:
    """The commands of an engine that only look; a part of `RockyResource`.

    Every method raises `dagster.Failure` with what failed, why and what to do.
    """

    if TYPE_CHECKING:

        def _command(
            self, args: Sequence[str], model: type[Result], *, exclusive: bool = False, masked: bool = False
        ) -> Result: ...

        def models_flags(self) -> list[str]:
            """Where the models are, for the commands that do not ask the pipelines."""

    def doctor(self) -> DoctorResult:
        """How the engine and its project are; critical findings are in the result, not raised (contract, section 8)."""
        return self._command(["doctor"], results.DoctorResult, exclusive=True, masked=True)

    def history(
        self,
        *,
        model: str | None = None,
        since: str | None = None,
        audit: bool = False,
        rolling_stats: bool = False,
        dagster_run_id: str | None = None,
    ) -> HistoryResult:
        """The engine's earlier runs, newest first.

        Args:
            model: The builds of one model, instead of runs.
            since: No earlier ones, e.g. `2026-05-01`.
            audit: With who ran them, where and from what.
            rolling_stats: With `model`: how its last builds compare.
            dagster_run_id: Only the engine runs that a Dagster run made, which the engine's history names as their
                submission (contract, section 18).
        """
        args = _flags({"--model": model, "--since": since})
        args += [*(["--audit"] if audit else []), *(["--rolling-stats"] if rolling_stats else [])]
        found = self._command(["history", *args], results.HistoryResult, exclusive=True, masked=True)
        if dagster_run_id is not None:
            found.runs = [run for run in found.runs if run.submission_id == dagster_run_id]
            found.count = len(found.runs)
        return found

    def cost(self, run_id: str = "latest") -> CostResult:
        """What one earlier run cost, in US dollars.

        Args:
            run_id: The engine's id of it.
        """
        return self._command(["cost", run_id], results.CostResult, exclusive=True)

    def trace(self, run_id: str = "latest") -> TraceResult:
        """One earlier run on a time line.

        Args:
            run_id: The engine's id of it.
        """
        return self._command(["trace", run_id], results.TraceResult, exclusive=True)

    def metrics(self, model: str) -> MetricsResult:
        """The quality figures that the engine has of a model."""
        return self._command(["metrics", model], results.MetricsResult, exclusive=True)

    def optimize(self, model: str | None = None) -> OptimizeResult:
        """What the engine advises for each table that its history knows, by the name of the table.

        Args:
            model: The name of one table (contract, section 8: not of the model).
        """
        args = ["optimize", *_flags({"--model": model}), *self.models_flags()]
        return self._command(args, results.OptimizeResult, exclusive=True)

    def compare(
        self, filter: str | None = None, *, pipeline: str | None = None, shadow_suffix: str | None = None
    ) -> CompareResult:
        """Whether the tables of a shadow run hold what those hold that they stand for (contract, section 8).

        Args:
            filter: `key=value`, as in `run`; unset, all tables.
            pipeline: Which replication; needed where there are several pipelines.
            shadow_suffix: Of the shadow run; unset, the engine's own.
        """
        flags = {"--pipeline": pipeline, "--filter": filter, "--shadow-suffix": shadow_suffix}
        return self._command(["compare", *_flags(flags)], results.CompareResult, exclusive=True)

    def compliance(self, env: str | None = None) -> ComplianceResult:
        """Which classified columns are masked in which environment, and which are not.

        Args:
            env: One environment, instead of all.
        """
        return self._command(
            ["compliance", *_flags({"--env": env}), *self.models_flags()],
            results.ComplianceResult,
            masked=True,
        )

    def retention_status(self, *, env: str | None = None, drift: bool = False) -> RetentionStatusResult:
        """How long each model's data is to be kept, and how long the warehouse keeps it.

        Args:
            env: One environment.
            drift: Only models of which the two differ.
        """
        args = ["retention-status", *_flags({"--env": env}), *self.models_flags()]
        return self._command([*args, *(["--drift"] if drift else [])], results.RetentionStatusResult)


def _flags(given: Mapping[str, str | None]) -> list[str]:
    return [word for flag, value in given.items() if value for word in (flag, value)]
