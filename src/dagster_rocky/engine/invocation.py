"""One engine process from start to result, the same for every mode and every command."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

from pydantic import BaseModel

from dagster_rocky.engine import errors
from dagster_rocky.engine.command import Engine
from dagster_rocky.engine.locks import engine_locks
from dagster_rocky.engine.logs.decode import LogLineDecoder, RunFacts
from dagster_rocky.engine.logs.forward import EventLogger, LogForwarder
from dagster_rocky.engine.logs.mask import SecretMasker
from dagster_rocky.engine.logs.tail import FileTail
from dagster_rocky.engine.news.events import EngineEvent
from dagster_rocky.engine.news.hooks import HOOK_FILE_ENV, HookReader
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.process import SupervisedProcess
from dagster_rocky.engine.spool import Spool
from dagster_rocky.engine.stdout import parse_outcome
from dagster_rocky.engine.strategies import BufferedStrategy, RunStrategy

Result = TypeVar("Result", bound=BaseModel)

_TICK_SECONDS = 0.02


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
        single_model: Whether the command builds one model.
        raw_log: Whether raw stderr lines are copied to this process's stderr, the step's compute log.
        exclusive: Whether it waits for others that use the same state or warehouse file.
        hooks: Whether the project's hooks are given a file to report to.
        bare: Whether the arguments are the whole command line, without config and output flags.

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
        single_model: bool = False,
        raw_log: bool = False,
        exclusive: bool = False,
        hooks: bool = False,
        bare: bool = False,
    ) -> None:
        self.engine = engine
        self._options = options or RunOptions()
        self._masker = SecretMasker(self._options.mask_env)
        self._raw_log, self._with_hooks = raw_log, hooks
        self._strategy = strategy or BufferedStrategy()
        self._logger = logger
        self._argv = [engine.executable(), *args] if bare else engine.argv(args)
        self.command = self._masker.mask_command(self._argv)
        self._decoder = LogLineDecoder(single_model=single_model)
        self._end: errors.ProcessEnd | None = None
        self._process: SupervisedProcess | None = None
        self._spool: Spool | None = None
        self._hooks: HookReader | None = None
        self._locks: AbstractContextManager[None] | None = engine_locks(
            engine.locked_files() if exclusive else [],
            timeout_seconds=self._options.timeout_seconds,
            logger=logger,
        )
        self._locks.__enter__()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        spool = self._spool = Spool()
        self._forwarder = LogForwarder(
            FileTail(spool.stderr),
            self._logger,
            self._decoder,
            self._options,
            self._masker,
            live=self._strategy.live_logs,
            raw=self._raw_log,
        )
        extra = dict(self._strategy.prepare(spool))
        if self._with_hooks:
            hook_file = spool.side_file("hooks")
            self._hooks = HookReader(hook_file)
            extra[HOOK_FILE_ENV] = str(hook_file)
        try:
            self._process = SupervisedProcess(
                self._argv,
                cwd=self.engine.folder,
                env=self.engine.process_environment(extra),
                stdout=spool.stdout,
                stderr=spool.stderr,
                timeout_seconds=self._options.timeout_seconds,
                grace_seconds=self._options.termination_grace_seconds,
            )
        except OSError as error:
            raise errors.cannot_start(self._argv[0], self.command, error, self.engine.folder) from error

    def __iter__(self) -> Iterator[EngineEvent]:
        """Events as the engine reports them, until its process has ended.

        Between events the log is forwarded. What the engine finished before it was ended by the deadline or by
        `terminate` still comes.
        """
        process, ended = self._running(), False
        while not ended:
            ended = process.wait(_TICK_SECONDS)
            self._forwarder.pump()
            yield from self._news()
        self._reap()

    def _news(self, everything: bool = False) -> Iterator[EngineEvent]:
        if self._hooks is not None:
            yield from self._hooks.read()
        yield from self._strategy.events(everything)

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
        if self._process is not None:
            self._process.terminate()

    def remaining_events(self) -> Iterator[EngineEvent]:
        """After the end: what had been reported and was not yet told, also what a strategy holds back."""
        yield from self._news(everything=True)
        self._reap()

    def result(self, model: type[Result]) -> Result:
        """What stdout says, as this model; waits for the end when nobody iterated.

        Raises:
            RockyFailure: A row of the failure table: no JSON, garbled JSON, a hard failure, the deadline.
        """
        end = self.end()
        spool = self._spool
        assert spool is not None, "the invocation is closed"
        if self._running().timed_out:
            raise errors.timed_out(end, self._options.timeout_seconds)
        return parse_outcome(spool, end, model)

    def stopped_result(self, model: type[Result]) -> Result | None:
        """After the engine was ended: its JSON when it still printed one (contract, section 10)."""
        end, spool = self.end(), self._spool
        assert spool is not None, "the invocation is closed"
        try:
            return parse_outcome(spool, end, model)
        except errors.RockyFailure:
            return None

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
                self._process.terminate()
                self._process.finish()
        finally:
            if self._hooks is not None:
                self._hooks.close()
                self._hooks = None
            self._strategy.close()
            if self._spool is not None:
                self._spool.close()
                self._spool = None
            locks, self._locks = self._locks, None
            if locks is not None:
                locks.__exit__(None, None, None)

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
        self.close()
