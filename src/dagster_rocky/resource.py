"""`RockyResource`: the engine for Python users and for the component, in all three run modes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import dagster as dg
from pydantic import Field

from dagster_rocky.engine.command import Engine
from dagster_rocky.engine.commands import Context, EngineCommands, run_result
from dagster_rocky.engine.news.result import events_of_result
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.step.pipes_session import PipesReport, RockyPipesInvocation
from dagster_rocky.vocabulary import Mode

if TYPE_CHECKING:
    from dagster_rocky.results import PlanResult, RunResult


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


class RockyResource(EngineCommands, dg.ConfigurableResource):  # type: ignore[misc, type-arg]
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
        """Like `run_streaming`, with what the engine reported as the results of a Dagster Pipes session.

        They are made of the engine's JSON, which says everything that its Pipes messages and hooks say, and more, and
        each once (contract, section 12).

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
            result = run_result(invocation)
            for event in events_of_result(result):
                report.report(event)
        if result.exit_code:
            context.log.warning(
                f"rocky: the run ended with exit code {result.exit_code}; {len(result.errors)} errors, the first: "
                f"{result.errors[0].error if result.errors else 'none in its JSON'}"
            )
        return report.completed(result)

    def plan(self, filter: str | None = None, **keywords: Unpack[RunKeywords]) -> PlanResult:
        """What a replication with these keywords would do; nothing is written but the plan.

        Args:
            filter: As in `run`.
            **keywords: As in `run`.

        Returns:
            The plan: its statements, and the id by which `apply` runs exactly it.

        Raises:
            dagster.Failure: Also where the pipeline is no replication: the engine plans no others.

        Example:
            ```text
            plan = rocky.plan("airport=jfk", pipeline="landing")
            rocky.apply(plan.plan_id)
            ```
        """
        return self.make_plan(self._request(filter, keywords))

    def apply(self, plan_id: str) -> RunResult:
        """Runs a plan, as it was made.

        Args:
            plan_id: Of a `PlanResult` of this project.

        Returns:
            As `run` does.

        Raises:
            dagster.Failure: As `run` does; the engine's words where it does not know the plan.
        """
        request = RunRequest(command="apply", plan_id=plan_id, options=self.options())
        with self.invoke(request, mode=Mode.BUFFERED) as invocation:
            return run_result(invocation)

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

    def _request(self, filter: str | None, keywords: RunKeywords) -> RunRequest:
        given: dict[str, Any] = {name: value for name, value in keywords.items() if value is not None}
        update = {name: given.pop(name) for name in _OPTION_KEYWORDS & given.keys()}
        options = RunOptions.model_validate({**self.options().model_dump(), **update})
        return RunRequest(filter=filter, models_dir=self.models_dir, options=options, **given)
