"""Which commands of the engine does this package ask, and how is a run of it started?"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

import dagster as dg
from pydantic import BaseModel

from dagster_rocky import results
from dagster_rocky._dagster import pipes_context_data, prints_to_console, run_of
from dagster_rocky.engine import config_file, errors
from dagster_rocky.engine.command import Engine
from dagster_rocky.engine.environment import RunOrigin
from dagster_rocky.engine.invocation import RockyInvocation
from dagster_rocky.engine.logs.forward import EventLogger, RawCopy
from dagster_rocky.engine.model_folders import DEFAULT_FOLDER, compiled_folders
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.reports import EngineReports
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.engine.strategies import build_strategy
from dagster_rocky.engine.version import engine_version, require_version
from dagster_rocky.vocabulary import Mode

if TYPE_CHECKING:
    from dagster_rocky.results import (
        CatalogResult,
        CompileResult,
        DagResult,
        DiscoverResult,
        LineageResult,
        ListModelsResult,
        ListPipelinesResult,
        PlanResult,
        RunResult,
        StateResult,
        TestResult,
        ValidateResult,
    )

Context = dg.AssetExecutionContext | dg.OpExecutionContext
Result = TypeVar("Result", bound=BaseModel)

_COMMAND_LOGGER = logging.getLogger("dagster_rocky")
_VERSION_SECONDS = 15.0


class EngineCommands(EngineReports):
    """What can be asked of an engine on one project: the part of `RockyResource` that the other rooms use.

    Every method raises `dagster.Failure` with what failed, why and what to do.
    """

    if TYPE_CHECKING:
        config_path: str
        models_dir: str | None
        contracts_dir: str | None
        timeout_seconds: float

        def engine(self) -> Engine:
            """The engine and project that are asked."""

        def options(self) -> RunOptions:
            """What every command is given."""

        def model_dump_json(self) -> str:
            """All settings, as one text."""

    def discover(self, pipeline: str | None = None) -> DiscoverResult:
        """The sources and tables of a replication pipeline, as the engine sees them now."""
        args = ["discover", *(["--pipeline", pipeline] if pipeline else [])]
        return self._command(args, results.DiscoverResult, exclusive=True)

    def compile(
        self,
        *,
        model: str | None = None,
        vars: Mapping[str, str] | None = None,
        models_dir: str | None = None,
    ) -> CompileResult:
        """The models with their diagnostics; errors in models are in the result, not raised.

        The engine compiles one folder at a time, and by itself only `models`: each folder that the project's
        pipelines build from is compiled, and the answers are put together.

        Args:
            model: One model, instead of all.
            vars: Values for `@var(name)`.
            models_dir: One folder, instead of those of the project.

        Raises:
            dagster.Failure: When the engine does not get as far as diagnostics.
        """
        args = ["--model", model] if model else []
        for name, value in (vars or {}).items():
            args += ["--var", f"{name}={value}"]
        args += ["--contracts", self.contracts_dir] if self.contracts_dir else []
        folders = [models_dir] if models_dir else self._compiled_folders()
        answers = [
            self._command(
                ["compile", *(["--models", folder] if folder else []), *args], results.CompileResult
            )
            for folder in folders
        ]
        whole = answers[0]
        if len(answers) > 1:
            whole.models = sum(answer.models for answer in answers)
            whole.execution_layers = max(answer.execution_layers for answer in answers)
            whole.has_errors = any(answer.has_errors for answer in answers)
            whole.diagnostics = [found for answer in answers for found in answer.diagnostics]
            whole.models_detail = [detail for answer in answers for detail in answer.models_detail]
        return whole

    def dag(self, column_lineage: bool = False) -> DagResult:
        """The project's graph: pipelines, models and their edges; with the lineage of columns when asked."""
        flags = ["--column-lineage"] if column_lineage else []
        return self._command(["dag", *flags, *self._model_folders()], results.DagResult)

    def catalog(self) -> CatalogResult:
        """The tables of the project with their columns; the engine also writes them to `.rocky/catalog`."""
        return self._command(["catalog"], results.CatalogResult)

    def lineage(self, model: str) -> LineageResult:
        """The columns of one model and where they come from."""
        return self._command(["lineage", model], results.LineageResult)

    def validate(self) -> ValidateResult:
        """What the engine thinks of `rocky.toml`; an invalid one is a result with messages, not an exception."""
        return self._command(["validate"], results.ValidateResult)

    def list_pipelines(self) -> ListPipelinesResult:
        """The pipelines of `rocky.toml`, with their types."""
        return self._command(["list", "pipelines"], results.ListPipelinesResult)

    def list_models(self) -> ListModelsResult:
        """The models of the project, with target, strategy and dependencies."""
        return self._command(["list", "models"], results.ListModelsResult)

    def test(
        self,
        *,
        declarative: bool = False,
        pipeline: str | None = None,
        model: str | None = None,
        vars: Mapping[str, str] | None = None,
        models_dir: str | None = None,
    ) -> TestResult:
        """What the models' tests say; tests that fail are in the result, not raised (contract, section 16).

        Args:
            declarative: The `[[tests]]` and `[[use_test]]` on the warehouse, instead of the models and their unit
                tests in memory.
            pipeline: With `declarative`: whose adapter is asked; needed where there are several.
            model: One model, instead of all.
            vars: Values for `@var(name)`.
            models_dir: The models' folder, where it is not that of the project.

        Raises:
            dagster.Failure: When the engine does not get as far as tests, or has no such command.
        """
        args = ["test", *(["--declarative"] if declarative else [])]
        args += ["--pipeline", pipeline] if pipeline else []
        args += ["--model", model] if model else []
        folder = models_dir or self.models_dir
        args += ["--models", folder] if folder else []
        args += ["--contracts", self.contracts_dir] if self.contracts_dir and not declarative else []
        for name, value in (vars or {}).items():
            args += ["--var", f"{name}={value}"]
        return self._command(args, results.TestResult, exclusive=declarative, masked=True)

    def folders_of(self, paths: Iterable[str]) -> dict[str, str | None]:
        """The folders with which the commands about models are asked; `None` where that is the engine's own choice.

        Args:
            paths: Files of models, relative to the folder of `rocky.toml`.
        """
        folders = [folder for folder in self._compiled_folders() if folder]
        found: dict[str, str | None] = {}
        for path in paths:
            holding = [folder for folder in folders if PurePosixPath(path).is_relative_to(folder)]
            folder = holding[0] if holding else self.models_dir
            found[path] = None if folder == DEFAULT_FOLDER else folder
        return found

    def state(self) -> StateResult:
        """The watermarks of the tables that were copied, from the engine's run state."""
        return self._command(["state"], results.StateResult)

    def make_plan(self, request: RunRequest) -> PlanResult:
        """What a replication would do, kept by the engine under its id for `apply` (contract, section 4).

        Args:
            request: The run that is planned.
        """
        args = replace(request, command="plan").to_args()
        return self._command(args, results.PlanResult, exclusive=True, options=request.options)

    def version(self) -> str:
        """What the engine says to `--version`, e.g. `1.71.0`."""
        seconds = min(self.timeout_seconds, _VERSION_SECONDS)
        return engine_version(self.engine(), RunOptions(timeout_seconds=seconds, termination_grace_seconds=1))

    def invoke(
        self,
        request: RunRequest,
        *,
        mode: Mode | str,
        context: Context | None = None,
    ) -> RockyInvocation:
        """Starts one engine run; the caller iterates it and closes it (a `with` block does).

        Args:
            request: What to run, with its options.
            mode: `buffered`, `streaming` or `pipes`; the last two need a context.
            context: Where the log goes.

        Raises:
            dagster.Failure: When it cannot be started, is too old, or another run holds its locks for too long.
        """
        is_pipes = Mode(mode) is Mode.PIPES
        if is_pipes and context is None:
            raise ValueError("mode pipes needs an execution context")
        strategy = build_strategy(mode, pipes_context_data(context) if is_pipes and context else {})
        logger: EventLogger | None = context.log if context is not None else None
        engine = self.engine()
        require_version(engine)
        return RockyInvocation(
            engine,
            request.to_args(),
            strategy=strategy,
            logger=logger,
            options=request.options,
            raw_log=_raw_log(context),
            pipeline=request.pipeline,
            models=request.models,
            exclusive=True,
            hooks=True,
            origin=_origin(context),
        )

    def _command(
        self,
        args: Sequence[str],
        model: type[Result],
        *,
        exclusive: bool = False,
        masked: bool = False,
        options: RunOptions | None = None,
    ) -> Result:
        """Asks once.

        Args:
            args: The command line behind the binary's name.
            model: What the engine answers.
            exclusive: Whether it waits its turn for the run state and the DuckDB file.
            options: Instead of the resource's own.
            masked: Whether texts of the answer may hold secrets and are told to people.
        """
        logger = _COMMAND_LOGGER if exclusive else None
        with RockyInvocation(
            self.engine(),
            args,
            options=options or self.options(),
            exclusive=exclusive,
            logger=_WaitingOnly(logger),
        ) as invocation:
            result = invocation.result(model)
            if masked:
                told = result.model_dump(exclude_unset=True)
                result = model.model_validate(invocation.masker.mask_all(told))
            return result

    def models_flags(self) -> list[str]:
        """Where the models are, for the commands that look in one folder and do not ask the pipelines for it."""
        folders = [folder for folder in self._compiled_folders() if folder]
        only = folders[0] if len(folders) == 1 else self.models_dir
        return ["--models", only] if only and only != DEFAULT_FOLDER else []

    def _compiled_folders(self) -> list[str | None]:
        """The folders to compile; when none is known the engine says what is wrong."""
        path = Path(self.config_path).absolute()
        try:
            config = config_file.normalised(config_file.read_toml(path))
        except (OSError, ValueError):
            return [self.models_dir]
        return [*compiled_folders(config, self.models_dir, path.parent)] or [self.models_dir]

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
        RockyFailure: As the failure table says.
    """
    result = invocation.result(results.RunResult)
    result.exit_code = invocation.end().exit_code
    result.run_id = invocation.facts.run_id
    for failed in result.errors:
        failed.error = invocation.masker.mask(failed.error)
    if result.skipped_in_flight:
        raise errors.in_flight(result.idempotency_key, result.skipped_by_run_id)
    return result


def _origin(context: Context | None) -> RunOrigin | None:
    """The Dagster run of a context; one that is built for a direct call has none."""
    if context is None:
        return None
    run = run_of(context)
    return RunOrigin.of_dagster_run(*run) if run else None


def _raw_log(context: Context | None) -> RawCopy:
    """Each line of the engine stands once on this process's stderr, where a console logger may print events too."""
    if context is None:
        return "none"
    return "unsent" if prints_to_console(context.log) else "all"
