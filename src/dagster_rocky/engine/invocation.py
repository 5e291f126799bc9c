"""What happens from the start of one engine process to its result, the same for every mode and every command?"""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TypeVar

import dagster as dg
from pydantic import BaseModel

from dagster_rocky import _dagster
from dagster_rocky.engine import errors, interrupts
from dagster_rocky.engine.command import Engine
from dagster_rocky.engine.environment import RunOrigin, process_environment, say_what_is_left_out
from dagster_rocky.engine.locks import engine_locks
from dagster_rocky.engine.logs.decode import LogLineDecoder, RunFacts
from dagster_rocky.engine.logs.forward import EventLogger, LogForwarder, RawCopy
from dagster_rocky.engine.logs.mask import SecretMasker
from dagster_rocky.engine.logs.tail import FileTail
from dagster_rocky.engine.news.events import EngineEvent
from dagster_rocky.engine.news.held import HeldNews
from dagster_rocky.engine.news.hooks import HOOK_FILE_ENV, HookReader
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.private_project import write_private_project
from dagster_rocky.engine.process import SupervisedProcess, launch_error
from dagster_rocky.engine.request import ChosenModel
from dagster_rocky.engine.spool import Spool
from dagster_rocky.engine.stdout import parse_outcome
from dagster_rocky.engine.strategies import BufferedStrategy, RunStrategy

Result = TypeVar("Result", bound=BaseModel)

_TICK_SECONDS = 0.02
_LOGGER = logging.getLogger("dagster_rocky")


class RockyInvocation:
    """A started engine process: iterate it for its events, then ask for its result.

    Closing it, leaving its `with` block, an interruption and any exception end the process and everything in its
    group; no process, thread or file is left.

    Args:
        engine: Which engine, on which project.
        args: The subcommand and its flags.
        strategy: What the mode adds.
        logger: Where log events go; `None` for none.
        options: Deadline, grace, logs, masking.
        raw_log: Which raw stderr lines are copied to this process's stderr, the step's compute log.
        exclusive: Whether it waits for others that use the same state or warehouse file.
        hooks: Whether the project's hooks are given a file to report to.
        pipeline: The pipeline that the models belong to.
        models: The only models of that pipeline that the engine may see; empty for all.
        bare: Whether the arguments are the whole command line, without config and output flags.
        origin: Which Dagster run it belongs to.

    Attributes:
        masker: What takes the secrets out of all that leaves the invocation; results are not masked by themselves.

    Raises:
        RockyFailure: When the engine cannot be started, or a lock or the spool cannot be had.

    Example:
        ```python
        with RockyInvocation(engine, ["discover"]) as invocation:
            sources = invocation.result(DiscoverResult).sources
        ```
    """

    def __init__(
        self,
        engine: Engine,
        args: Sequence[str],
        *,
        strategy: RunStrategy | None = None,
        logger: EventLogger | None = None,
        options: RunOptions | None = None,
        raw_log: RawCopy = "none",
        exclusive: bool = False,
        hooks: bool = False,
        pipeline: str | None = None,
        models: Sequence[ChosenModel] = (),
        bare: bool = False,
        origin: RunOrigin | None = None,
    ) -> None:
        self.engine = engine
        self._options = options or RunOptions()
        self.masker = SecretMasker(self._options.mask_env, self._options.environment)
        self._raw_log, self._with_hooks, self._origin = raw_log, hooks, origin
        self._strategy = strategy or BufferedStrategy()
        self._held = HeldNews(self._options.live_after_seconds)
        self._logger = logger
        self._args, self._bare = args, bare
        self._pipeline, self._models = pipeline, models
        self._decoder = LogLineDecoder()
        self._end: errors.ProcessEnd | None = None
        self._process: SupervisedProcess | None = None
        self._spool: Spool | None = None
        self._hooks: HookReader | None = None
        self._given_back = contextlib.ExitStack()
        try:
            self._given_back.enter_context(interrupts.hangups())
            self._given_back.enter_context(interrupts.noticed())
            if exclusive:
                self._lock()
            self._start()
        except errors.RockyFailure as failure:
            self.close()
            raise failure.masked(self.masker) from failure.__cause__
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        files = self.engine.locked_files()
        if files.problem and self._logger is not None:
            self._logger.log(
                logging.WARNING,
                f"rocky: {self.engine.config.name} cannot be read ({files.problem}), so this run holds no lock of its "
                "DuckDB file, and others that use the file do not wait for it",
            )
        locks = engine_locks(
            files.paths,
            timeout_seconds=self._options.timeout_seconds,
            logger=self._logger,
            dagster_run=self._origin.submission_id if self._origin else None,
        )
        self._given_back.enter_context(locks)

    def _start(self) -> None:
        spool = self._spool = Spool()
        self._argv = self._command_line(spool)
        self.command = self.masker.mask_command(self._argv)
        self._forwarder = LogForwarder(
            FileTail(spool.stderr),
            self._logger,
            self._decoder,
            self._options,
            self.masker,
            live=self._strategy.live_logs,
            raw=self._raw_log,
        )
        extra = {**self._options.environment, **self._strategy.prepare(spool)}
        if self._with_hooks:
            hook_file = spool.side_file("hooks")
            self._hooks = HookReader(hook_file)
            extra[HOOK_FILE_ENV] = str(hook_file)
            if self._logger is not None:
                say_what_is_left_out(self._logger, extra, self._origin)
        for word in self._argv:
            if "\0" in word:
                raise errors.nul_in_command(self.command, word)
        try:
            with interrupts.deferred():
                self._process = SupervisedProcess(
                    self._argv,
                    cwd=self.engine.folder,
                    env=process_environment(extra, self._origin),
                    stdout=spool.stdout,
                    stderr=spool.stderr,
                    timeout_seconds=self._options.timeout_seconds,
                    grace_seconds=self._options.termination_grace_seconds,
                )
        except OSError as error:
            raise errors.cannot_start(self._argv[0], self.command, error, self.engine.folder) from error

    def _command_line(self, spool: Spool) -> list[str]:
        if self._bare:
            return [self.engine.executable(), *self._args]
        if not self._models or self._pipeline is None:
            return self.engine.argv(self._args)
        private = spool.side_file("rocky.toml")
        write_private_project(private, self.engine.config, self._pipeline, self._models)
        return self.engine.argv(self._args, private)

    def __iter__(self) -> Iterator[EngineEvent]:
        """News as the engine reports it, until its process has ended: progress at once, the rest after its window.

        Between news the log is forwarded. What is still held when the engine has ended comes with
        `remaining_events`, so that its result can be told first.
        """
        process, ended = self._running(), False
        while not ended:
            ended = process.wait(_TICK_SECONDS)
            interrupts.raise_if_swallowed()
            self._forwarder.pump()
            yield from self._held.take(self._news())
            if not ended or self._held.seconds == 0:
                yield from self._held.due()
        self._reap()

    def _news(self, everything: bool = False) -> Iterator[EngineEvent]:
        if self._hooks is not None:
            yield from self._hooks.read(everything=everything)
        yield from self._strategy.events()

    def _reap(self) -> None:
        process, spool = self._running(), self._spool
        if self._end is not None or spool is None:
            return
        exit_code = process.finish()
        self._forwarder.finish()
        self._strategy.finish(self._logger)
        self._end = errors.ProcessEnd(
            command=self.command,
            exit_code=exit_code,
            duration_seconds=process.duration_seconds,
            stderr_tail=self._forwarder.stderr_tail(),
            engine_error=self._forwarder.engine_error(),
            spool_full=spool.disk_is_full(),
        )

    def terminate(self) -> None:
        """Ends the engine: SIGTERM to its group, the grace period, SIGKILL. Returns when it has ended."""
        interrupts.forget()
        if self._process is not None:
            self._process.terminate()

    def remaining_events(self) -> Iterator[EngineEvent]:
        """After the end: everything that was reported and not yet told, however it ended."""
        yield from self._held.take(self._news(everything=True))
        yield from self._held.rest()
        self._reap()

    def result(self, model: type[Result]) -> Result:
        """What stdout says, as this model; waits for the end when nobody iterated.

        Raises:
            RockyFailure: A row of the failure table: no JSON, garbled JSON, a hard failure, the deadline.
        """
        end = self.end()
        try:
            if self._running().timed_out:
                raise errors.timed_out(end, self._options.timeout_seconds)
            if error := launch_error(end.exit_code, end.stderr_tail):
                raise errors.cannot_start(self._argv[0], self.command, error, self.engine.folder)
            return self._parsed(end, model)
        except errors.RockyFailure as failure:
            raise failure.masked(self.masker) from failure.__cause__

    def stopped_result(self, model: type[Result]) -> Result | None:
        """After the engine was ended: its JSON when it still printed one (contract, section 10)."""
        try:
            return self._parsed(self.end(), model)
        except errors.RockyFailure:
            return None

    def _parsed(self, end: errors.ProcessEnd, model: type[Result]) -> Result:
        assert self._spool is not None, "the invocation is closed"
        result, replaced = parse_outcome(self._spool, end, model)
        if replaced:
            (self._logger or _LOGGER).log(
                logging.WARNING,
                f"rocky: {replaced} bytes of the engine's result are no UTF-8; each is shown as \ufffd",
            )
        return result

    def output_text(self) -> str:
        """The first mebibyte of stdout, for commands that print no JSON; waits for the end."""
        self.end()
        assert self._spool is not None, "the invocation is closed"
        return self._spool.read_stdout(0, min(self._spool.stdout_size(), 1 << 20)).decode(
            "utf-8", errors="replace"
        )

    def end(self) -> errors.ProcessEnd:
        """How the process ended; waits for it when nobody iterated."""
        if self._end is None:
            for _ in self:
                pass
        assert self._end is not None
        return self._end

    @property
    def timed_out(self) -> bool:
        """Whether the deadline ended it."""
        return self._running().timed_out

    @property
    def facts(self) -> RunFacts:
        """What the log lines told so far: the run id, strategies, tables whose retry failed."""
        return self._decoder.facts

    @property
    def pid(self) -> int:
        """The engine's process id, which is its group's too."""
        return self._running().pid

    def close(self) -> None:
        """Ends what still runs and gives everything back; may be called again."""
        try:
            if self._process is not None and self._end is None:
                self.terminate()
                self._process.finish()
        finally:
            if self._hooks is not None:
                self._hooks.close()
                self._hooks = None
            self._strategy.close()
            if self._spool is not None:
                self._spool.close()
                self._spool = None
            self._given_back.close()

    def _running(self) -> SupervisedProcess:
        assert self._process is not None, "the engine was not started"
        return self._process

    def __enter__(self) -> "RockyInvocation":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asked = time.monotonic()
        self.close()
        if kind is dg.DagsterExecutionInterruptedError and not str(error):
            took = time.monotonic() - asked
            raise _dagster.interruption(f"Cancelled: the engine was stopped after {took:.1f} s.") from None
