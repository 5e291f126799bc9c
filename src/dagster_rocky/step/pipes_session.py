"""How does `run_pipes` hand engine events over as a Dagster Pipes session, for assets that are written in Python?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_rocky._dagster import has_assets, pipes_context_data
from dagster_rocky.engine.commands import Context
from dagster_rocky.engine.news.events import Built, Checked, EngineEvent
from dagster_rocky.step import events
from dagster_rocky.step.metadata import built_metadata, checked_metadata, severity_of
from dagster_rocky.vocabulary import check_name

if TYPE_CHECKING:
    from dagster_rocky.results import RunResult


class RockyPipesInvocation(dg.PipesClientCompletedInvocation):
    """The events of a completed run, limited to what the engine reported.

    Unlike Dagster's own, `get_results` makes up no materialization for an asset that the engine should have reported
    and did not. An asset of the user's own that stands for the whole run, as in a plain `@dg.asset`, is materialized
    when the run built something and nothing failed. What the step does not declare is told under the engine's own
    keys, so that the run shows every table.
    """

    def __init__(
        self,
        session: dg.PipesSession,
        context: Context,
        result: RunResult,
        reported: Sequence[Built | Checked] = (),
    ) -> None:
        super().__init__(session)
        self._context = context
        self._reported = reported
        self.result = result

    def get_results(  # type: ignore[override]
        self, *, implicit_materializations: bool = False, include_undeclared: bool = True
    ) -> Sequence[dg.PipesExecutionResult | dg.AssetMaterialization | dg.AssetCheckEvaluation]:
        """What the engine reported: for the step's own assets and checks, and beside them.

        Args:
            implicit_materializations: Also report every other selected asset as materialized, as Dagster's default
                does; only for an engine run that is known to cover them.
            include_undeclared: Also tell each table and check that the step does not declare, under its own key.

        Raises:
            dagster.Failure: When the step's only asset stands for the whole run, and something of it failed or it
                built nothing.
        """
        results = super().get_results(implicit_materializations=implicit_materializations)
        if not has_assets(self._context):
            return results
        assets = self._context.selected_asset_keys
        checks = self._context.selected_asset_check_keys
        kept = [
            result
            for result in results
            if (
                dg.AssetCheckKey(result.asset_key, result.check_name) in checks
                if isinstance(result, dg.AssetCheckResult) and result.asset_key and result.check_name
                else result.asset_key in assets
            )
        ]
        undeclared = self._undeclared(assets, checks) if include_undeclared else []
        if len(assets) == 1 and not any(isinstance(result, dg.MaterializeResult) for result in kept):
            return [*undeclared, self._whole_run(next(iter(assets))), *kept]
        return [*undeclared, *kept]

    def _undeclared(
        self, assets: AbstractSet[dg.AssetKey], checks: AbstractSet[dg.AssetCheckKey]
    ) -> list[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
        """Tables and checks that the engine reported and the step does not have."""
        found: list[dg.AssetMaterialization | dg.AssetCheckEvaluation] = []
        taken: Counter[tuple[str, str]] = Counter()
        for event in self._reported:
            key = dg.AssetKey(event.name.split("/"))
            if isinstance(event, Built):
                if key not in assets:
                    found.append(events.runtime_materialization(event))
                continue
            name = check_name(event.check)
            if dg.AssetCheckKey(key, name) in checks:
                continue
            taken[event.name, name] += 1
            number = taken[event.name, name]
            found.append(events.runtime_check(event, name if number == 1 else f"{name}_{number}"))
        return found

    def _whole_run(self, key: dg.AssetKey) -> dg.MaterializeResult[Any]:
        """The materialization of an asset that stands for everything that the run built."""
        built = sorted({"/".join(done.asset_key) for done in self.result.materializations})
        errors = [error.error for error in self.result.errors]
        if errors or self.result.exit_code or not built:
            why = errors[0] if errors else "it built nothing; does the filter match a table?"
            raise dg.Failure(
                f"{key.to_user_string()} is not materialized: the engine ended with exit code "
                f"{self.result.exit_code}, {len(built)} built and {len(errors)} failed. {why}",
                metadata={"rocky/built": built, "rocky/errors": errors[:20]},
            )
        return events.whole_run(key, built, self.result.run_id, self.result.duration_ms)


class PipesReport:
    """Collects engine events as normalised Pipes messages.

    Args:
        context: The step's context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reported: list[Built | Checked] = []
        handler = dg.PipesMessageHandler(context, _NoReader())
        self._session = dg.PipesSession(
            context_data=pipes_context_data(context),  # type: ignore[arg-type]
            message_handler=handler,
            context_injector_params={},
            message_reader_params={},
            context=context,
        )

    def report(self, event: EngineEvent) -> None:
        """Takes one event of the run's JSON, which has each once and in order."""
        if not isinstance(event, Built | Checked):
            return
        self._reported.append(event)
        params: dict[str, Any]
        if isinstance(event, Built):
            method, metadata = "report_asset_materialization", built_metadata(event)
            params = {"data_version": None}
        else:
            method, metadata = "report_asset_check", checked_metadata(event)
            params = {
                "check_name": check_name(event.check),
                "passed": event.passed,
                "severity": severity_of(event).value,
            }
        params |= {"asset_key": event.name, "metadata": _external(metadata)}
        message: Any = {"__dagster_pipes_version": "0.1", "method": method, "params": params}
        self._session.message_handler.handle_message(message)

    def completed(self, result: RunResult) -> RockyPipesInvocation:
        """The invocation with everything that was reported."""
        return RockyPipesInvocation(self._session, self._context, result, self._reported)


class _NoReader(dg.PipesMessageReader):
    """The handler wants a reader; events are handed to the handler directly."""

    expected_writer_count = 1

    def read_messages(self, handler: dg.PipesMessageHandler) -> Any:
        raise RuntimeError("messages are handed over, not read")

    def no_messages_debug_text(self) -> str:
        return "The engine's events are handed to the Pipes handler directly."


def _external(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata in the form that Dagster's message handler reads."""
    return {name: {"raw_value": value, "type": "__infer__"} for name, value in metadata.items()}
