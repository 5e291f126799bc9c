"""`RockyResource`: the engine for Python users and for the component, in all three run modes."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import dagster as dg
from pydantic import BaseModel, Field

from dagster_rocky.engine import errors
from dagster_rocky.engine.command import Engine
from dagster_rocky.engine.invocation import RockyInvocation
from dagster_rocky.engine.logs.forward import EventLogger
from dagster_rocky.engine.news.result import events_of_result
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.engine.strategies import PipesStrategy, build_strategy
from dagster_rocky.results import (
    CompileResult,
    DagResult,
    DiscoverResult,
    LineageResult,
    ListModelsResult,
    ListPipelinesResult,
    RunResult,
    ValidateResult,
)
from dagster_rocky.step.pipes_session import (
    Context,
    PipesReport,
    RockyPipesInvocation,
    pipes_context_data,
)
from dagster_rocky.vocabulary import Mode

Result = TypeVar("Result", bound=BaseModel)

_COMMAND_LOGGER = logging.getLogger("dagster_rocky")
_VERSION_SECONDS = 15.0


class RunKeywords(TypedDict, total=False):
    """The keywords that `run`, `run_streaming` and `run_pipes` share; `RunRequest` describes each."""

    governance_override: Mapping[str, Any] | None
    pipeline: str | None
    run_models: bool
    model: str | None
    partition: str | None
    partition_from: str | None
    partition_to: str | None
    latest: bool
    missing: bool
    lookback: int | None
    parallel: int | None
    shadow_suffix: str | None
    idempotency_key: str | None
    env: str | None
    vars: Mapping[str, str]
    timeout_seconds: float | None


_OPTION_KEYWORDS = frozenset(RunOptions.model_fields) & RunKeywords.__annotations__.keys() - {
    "idempotency_key"
}


class RockyResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # its parameter is for factories
    """Runs a rocky engine on one project.

    Every method raises `dagster.Failure` with what failed, why and what to do; a run that finished with some
    failures and reported the rest is no exception: its `RunResult` has `errors` and an `exit_code` other than 0.

    Example:
        ```python
        @dg.asset
        def flights(context: dg.AssetExecutionContext, rocky: RockyResource) -> dg.MaterializeResult:
            result = rocky.run_streaming(context, filter="airport=jfk", pipeline="landing")
            return dg.MaterializeResult(metadata={"tables": result.tables_copied})
        ```
    """

    binary_path: str = Field(
        default="rocky", description="The engine: a name on the PATH or a path, `rocky` or `rocky-local`."
    )
    config_path: str = Field(default="rocky.toml", description="The project's `rocky.toml`.")
    state_path: str | None = Field(
        default=None, description="The engine's state file; relative to the folder of `rocky.toml`."
    )
    state_namespace: str | None = Field(
        default=None, description="A state file of its own under `models/.rocky-state/`, by name."
    )
    models_dir: str | None = Field(default=None, description="The models folder, when it is not `models`.")
    contracts_dir: str | None = Field(
        default=None, description="A folder of contracts apart from the models."
    )
    timeout_seconds: float = Field(default=3600, gt=0, description="Deadline of one engine run, in seconds.")
    termination_grace_seconds: float = Field(
        default=25,
        ge=0,
        description="How long a stopped engine may take to finish before it is killed, in seconds.",
    )
    mask_env: list[str] = Field(
        default_factory=list,
        description="Environment variables whose values are masked in logs, failures and shown commands.",
    )

    def run(self, filter: str | None = None, **keywords: Unpack[RunKeywords]) -> RunResult:
        """Runs the engine and waits for its result; needs no Dagster context and logs nothing.

        Args:
            filter: `key=value`: a source's `id`, a `table`, or a component of the schema pattern.
            **keywords: See `RunKeywords` and `RunRequest`.

        Returns:
            The engine's result, also of a partial success.

        Raises:
            dagster.Failure: A row of the failure table: hard failure, no JSON, timeout, no binary, key in flight.
        """
        request = self._request(filter, keywords)
        with self.invoke(request, mode=Mode.BUFFERED) as invocation:
            return run_result(invocation)

    def run_streaming(
        self,
        context: Context,
        filter: str | None = None,
        **keywords: Unpack[RunKeywords],
    ) -> RunResult:
        """Like `run`, with the engine's log going live to `context.log.info`, each line behind `rocky: `.

        Args:
            context: An asset's or op's execution context.
            filter: As in `run`.
            **keywords: As in `run`.

        Returns:
            The engine's result, also of a partial success.

        Raises:
            dagster.Failure: As in `run`.
        """
        request = self._request(filter, keywords)
        with self.invoke(request, mode=Mode.STREAMING, context=context) as invocation:
            return run_result(invocation)

    def run_pipes(
        self,
        context: Context,
        filter: str | None = None,
        **keywords: Unpack[RunKeywords],
    ) -> RockyPipesInvocation:
        """Like `run_streaming`, with the engine's Pipes messages read while it runs.

        What the engine did not send is completed from its JSON, so the results are never fewer than streaming's.

        Args:
            context: An asset's or op's execution context.
            filter: As in `run`.
            **keywords: As in `run`.

        Returns:
            A completed invocation: `yield from invocation.get_results()` in an asset.

        Raises:
            dagster.Failure: As in `run`.
        """
        request = self._request(filter, keywords)
        report = PipesReport(context)
        with self.invoke(request, mode=Mode.PIPES, context=context) as invocation:
            for event in invocation:
                report.report(event)
            result = run_result(invocation)
        for event in events_of_result(result):
            report.report(event)
        if result.exit_code:
            context.log.warning(
                f"rocky: the run ended with exit code {result.exit_code}; {len(result.errors)} errors, the first: "
                f"{result.errors[0].error if result.errors else 'none in its JSON'}"
            )
        return report.completed(result)

    def discover(self, pipeline: str | None = None) -> DiscoverResult:
        """The sources and tables of a replication pipeline, as the engine sees them now."""
        args = ["discover", *(["--pipeline", pipeline] if pipeline else [])]
        return self._command(args, DiscoverResult, exclusive=True)

    def compile(self, *, model: str | None = None, vars: Mapping[str, str] | None = None) -> CompileResult:
        """The models with their diagnostics; errors in models are in the result, not raised."""
        args = ["compile", *self._model_folders()]
        args += ["--model", model] if model else []
        for name, value in (vars or {}).items():
            args += ["--var", f"{name}={value}"]
        return self._command(args, CompileResult)

    def dag(self, column_lineage: bool = False) -> DagResult:
        """The project's graph: pipelines, models and their edges; with the lineage of columns when asked."""
        flags = ["--column-lineage"] if column_lineage else []
        return self._command(["dag", *flags, *self._model_folders()], DagResult)

    def lineage(self, model: str) -> LineageResult:
        """The columns of one model and where they come from."""
        return self._command(["lineage", model], LineageResult)

    def validate(self) -> ValidateResult:  # type: ignore[override]
        """What the engine thinks of `rocky.toml`; an invalid one is a result with messages, not an exception."""
        return self._command(["validate"], ValidateResult)

    def list_pipelines(self) -> ListPipelinesResult:
        """The pipelines of `rocky.toml`, with their types."""
        return self._command(["list", "pipelines"], ListPipelinesResult)

    def list_models(self) -> ListModelsResult:
        """The models of the project, with target, strategy and dependencies."""
        return self._command(["list", "models"], ListModelsResult)

    def version(self) -> str:
        """What the engine says to `--version`, e.g. `1.71.0`."""
        seconds = min(self.timeout_seconds, _VERSION_SECONDS)
        return _version(self.engine(), RunOptions(timeout_seconds=seconds, termination_grace_seconds=1))

    def engine(self) -> Engine:
        """The engine and project that this resource stands for."""
        return Engine(
            binary=self.binary_path,
            config=Path(self.config_path).absolute(),
            state_path=self.state_path,
            state_namespace=self.state_namespace,
        )

    def options(self) -> RunOptions:
        """What every command of this resource is given."""
        return RunOptions(
            timeout_seconds=self.timeout_seconds,
            termination_grace_seconds=self.termination_grace_seconds,
            mask_env=self.mask_env,
        )

    def invoke(
        self,
        request: RunRequest,
        *,
        mode: Mode | str,
        context: Context | None = None,
        hold_seconds: float = 0.0,
    ) -> RockyInvocation:
        """Starts one engine run; the caller iterates it and closes it (a `with` block does).

        Args:
            request: What to run, with its options.
            mode: `buffered`, `streaming` or `pipes`; the last two need a context.
            context: Where the log goes.
            hold_seconds: How long a Pipes materialization is held back, so that a burst at the end of a run is
                completed from the JSON before it is told.

        Raises:
            dagster.Failure: When it cannot be started, or another run holds its locks for too long.
        """
        is_pipes = Mode(mode) is Mode.PIPES
        if is_pipes and context is None:
            raise ValueError("mode pipes needs an execution context")
        strategy = build_strategy(mode, pipes_context_data(context) if is_pipes and context else {})
        if isinstance(strategy, PipesStrategy):
            strategy.hold_seconds = hold_seconds
        logger: EventLogger | None = context.log if context is not None else None
        return RockyInvocation(
            self.engine(),
            request.to_args(),
            strategy=strategy,
            logger=logger,
            options=request.options,
            single_model=request.model is not None,
            raw_log=context is not None,
            exclusive=True,
            hooks=True,
        )

    def _request(self, filter: str | None, keywords: RunKeywords) -> RunRequest:
        given: dict[str, Any] = {name: value for name, value in keywords.items() if value is not None}
        update = {name: given.pop(name) for name in _OPTION_KEYWORDS & given.keys()}
        options = RunOptions.model_validate({**self.options().model_dump(), **update})
        return RunRequest(filter=filter, models_dir=self.models_dir, options=options, **given)

    def _command(self, args: Sequence[str], model: type[Result], *, exclusive: bool = False) -> Result:
        logger = _COMMAND_LOGGER if exclusive else None
        with RockyInvocation(
            self.engine(),
            args,
            options=self.options(),
            exclusive=exclusive,
            logger=_WaitingOnly(logger),
        ) as invocation:
            return invocation.result(model)

    def _model_folders(self) -> list[str]:
        folders = ["--models", self.models_dir] if self.models_dir else []
        return [*folders, *(["--contracts", self.contracts_dir] if self.contracts_dir else [])]


class _WaitingOnly:
    """For short commands: says that there is waiting for a lock, and nothing of the engine's log."""

    def __init__(self, logger: logging.Logger | None) -> None:
        self._logger = logger

    def log(self, level: int, msg: object, /) -> None:
        if self._logger is not None and str(msg).startswith("rocky: waiting"):
            self._logger.log(level, msg)


def run_result(invocation: RockyInvocation) -> RunResult:
    """The result of a run, with exit code and run id; waits for the end.

    Raises:
        RockyFailure: As the failure table says; a refused command line of an engine that is too old says so.
    """
    try:
        result = invocation.result(RunResult)
    except errors.RockyFailure as failure:
        if failure.kind == "usage":
            raise _usage_failure(invocation, failure) from failure
        raise
    result.exit_code = invocation.end().exit_code
    result.run_id = invocation.facts.run_id
    if result.skipped_in_flight:
        raise errors.in_flight(result.idempotency_key, result.skipped_by_run_id)
    return result


def _usage_failure(invocation: RockyInvocation, failure: errors.RockyFailure) -> errors.RockyFailure:
    """The same failure, led by the engine's age when that explains it."""
    try:
        version = _version(invocation.engine, RunOptions(timeout_seconds=5, termination_grace_seconds=1))
        numbers = tuple(int(part) for part in version.split(".")[:2])
    except (dg.Failure, ValueError):
        return failure
    if numbers >= errors.OLDEST_ENGINE:
        return failure
    needed = ".".join(map(str, errors.OLDEST_ENGINE))
    text = (
        f"The engine is too old: it says {version}, and this package needs {needed} or newer. "
        f"{errors.INSTALL_HINT}\n\n{failure.description}"
    )
    return errors.RockyFailure("binary", text, failure.metadata, allow_retries=False)


def _version(engine: Engine, options: RunOptions) -> str:
    with RockyInvocation(engine, ["--version"], bare=True, options=options) as invocation:
        text = invocation.output_text().strip()
        end = invocation.end()
    if invocation.timed_out:
        raise errors.timed_out(end, options.timeout_seconds)
    if end.exit_code != 0:
        raise errors.hard_failure(end)
    words: Iterable[str] = text.split()
    for word in words:
        if word[:1].isdigit():
            return word
    raise errors.no_json(end, len(text), text.encode()[:200], b"", "it names no version")
