"""`run_pipes`: engine events as a Dagster Pipes session, for assets that are written in Python."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterInvalidPropertyError
from dagster._core.pipes.context import build_external_execution_context_data

from dagster_rocky.engine.news.events import Built, Checked, Drifted, EngineEvent
from dagster_rocky.results import RunResult
from dagster_rocky.step.metadata import DURATION, RUN_ID, built_metadata, checked_metadata, severity_of
from dagster_rocky.vocabulary import check_name

Context = dg.AssetExecutionContext | dg.OpExecutionContext


def pipes_context_data(context: Context) -> Mapping[str, Any]:
    """The Pipes context of a step, as Dagster's own clients send it.

    Dagster makes it with a private function; `open_pipes_session`, which is public, demands an event for every
    selected asset and check, and so cannot be used for runs that report what really happened. A context that is
    built for a direct call has nothing to send.
    """
    try:
        return build_external_execution_context_data(context, extras=None)
    except DagsterInvalidPropertyError:
        return {"extras": {}}


def _has_assets(context: Context) -> bool:
    """Whether the context is that of an asset; one that is built for a direct call has no properties to ask."""
    try:
        return context.has_assets_def
    except DagsterInvalidPropertyError:
        return False


class RockyPipesInvocation(dg.PipesClientCompletedInvocation):
    """The events of a completed run, limited to what the engine reported.

    Unlike Dagster's own, `get_results` makes up no materialization for an asset that the engine should have reported
    and did not. An asset of the user's own that stands for the whole run, as in a plain `@dg.asset`, is materialized
    when the run built something and nothing failed. Results for assets and checks that the step does not have are
    left out, since Dagster takes none.
    """

    def __init__(self, session: dg.PipesSession, context: Context, result: RunResult) -> None:
        super().__init__(session)
        self._context = context
        self.result = result

    def get_results(self, *, implicit_materializations: bool = False) -> Sequence[dg.PipesExecutionResult]:
        """What the engine reported for the step's own assets and checks.

        Args:
            implicit_materializations: Also report every other selected asset as materialized, as Dagster's default
                does; only for an engine run that is known to cover them.

        Raises:
            dagster.Failure: When the step's only asset stands for the whole run, and something of it failed or it
                built nothing.
        """
        results = super().get_results(implicit_materializations=implicit_materializations)
        if not _has_assets(self._context):
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
        if len(assets) == 1 and not any(isinstance(result, dg.MaterializeResult) for result in kept):
            return [self._whole_run(next(iter(assets))), *kept]
        return kept

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
        metadata: dict[str, Any] = {"rocky/built": built, "rocky/tables": len(built)}
        if self.result.run_id:
            metadata[RUN_ID] = self.result.run_id
        if self.result.duration_ms is not None:
            metadata[DURATION] = self.result.duration_ms / 1000
        return dg.MaterializeResult(asset_key=key, metadata=metadata)


class PipesReport:
    """Collects engine events as normalised Pipes messages; what is told twice counts once.

    Args:
        context: The step's context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: set[tuple[str, ...]] = set()
        handler = dg.PipesMessageHandler(context, _NoReader())
        self._session = dg.PipesSession(
            context_data=pipes_context_data(context),  # type: ignore[arg-type]
            message_handler=handler,
            context_injector_params={},
            message_reader_params={},
            context=context,
        )

    def report(self, event: EngineEvent) -> None:
        """Takes one event; duplicates and drift notices, which Pipes has no message for, are passed over."""
        params: dict[str, Any]
        match event:
            case Built():
                key: tuple[str, ...] = ("built", event.name, event.partition or "")
                method, params = (
                    "report_asset_materialization",
                    {
                        "asset_key": event.name,
                        "metadata": _external(built_metadata(event)),
                        "data_version": None,
                    },
                )
            case Checked():
                key = ("checked", event.name, event.check)
                method, params = (
                    "report_asset_check",
                    {
                        "asset_key": event.name,
                        "check_name": check_name(event.check),
                        "passed": event.passed,
                        "severity": severity_of(event).value,
                        "metadata": _external(checked_metadata(event)),
                    },
                )
            case Drifted():
                return
        if key in self._seen:
            return
        self._seen.add(key)
        message: Any = {"__dagster_pipes_version": "0.1", "method": method, "params": params}
        self._session.message_handler.handle_message(message)

    def completed(self, result: RunResult) -> RockyPipesInvocation:
        """The invocation with everything that was reported."""
        return RockyPipesInvocation(self._session, self._context, result)


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
