"""Which binary, with which global flags, where: what is the engine's command line (contract, section 1)?"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster_rocky.engine.config_file import duckdb_files, normalised, read_toml

_STATE_SUFFIXES = (".redb", ".local.sqlite")
"""How the engines' own state files of one place end; they exclude each other, so that one lock stands for both."""
_STATE = ".rocky-state"


@dataclass(frozen=True, kw_only=True)
class LockedFiles:
    """What only one run may use at a time.

    Attributes:
        paths: Run state and DuckDB files; they need not exist.
        problem: Why the config could not be read, so that its DuckDB files are missing here.
    """

    paths: Sequence[Path] = ()
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine and the project that it runs on.

    Attributes:
        binary: Name on the PATH, or path of the binary.
        config: Path of `rocky.toml`.
        state_path: The engine's `--state-path`; relative to the folder of the config.
        state_namespace: The engine's `--state-namespace`.
    """

    binary: str
    config: Path
    state_path: str | None = None
    state_namespace: str | None = None

    @property
    def folder(self) -> Path:
        """The working directory: every path of the engine is relative to it (contract, section 1.3)."""
        return self.config.absolute().parent

    def argv(self, args: Sequence[str], config: Path | None = None) -> list[str]:
        """The whole command for a subcommand and its flags; another config may stand in for the project's."""
        argv = [self.executable(), "-c", str(config) if config else self.config.name]
        if self.state_path:
            argv += ["--state-path", self.state_path]
        if self.state_namespace:
            argv += ["--state-namespace", self.state_namespace]
        return [*argv, *args, "-o", "json"]

    def executable(self) -> str:
        """The binary as it can be started from another working directory.

        A bare name is looked up on the PATH and then beside the running Python, where `pip` puts `rocky-local`.
        """
        if os.sep in self.binary or (os.altsep and os.altsep in self.binary):
            return str(Path(self.binary).expanduser().absolute())
        return which(self.binary) or self.binary

    def locked_files(self) -> LockedFiles:
        """The run state, and the DuckDB files that the config names as it is on disk."""
        state = self._state()
        try:
            names = list(duckdb_files(normalised(read_toml(self.config))))
        except (OSError, ValueError) as error:
            return LockedFiles(paths=[state], problem=str(error))
        return LockedFiles(paths=[state, *(self.folder / name for name in names)])

    def _state(self) -> Path:
        """The run state without what tells the engines' files of one place apart."""
        if self.state_path:
            path = self.folder / self.state_path
            for suffix in _STATE_SUFFIXES:
                path = path.with_name(path.name.removesuffix(suffix) or path.name)
            return path
        models = self.folder / "models"
        if self.state_namespace:
            return models / _STATE / self.state_namespace
        is_legacy = any((self.folder / (_STATE + suffix)).exists() for suffix in _STATE_SUFFIXES)
        return (self.folder if is_legacy or not models.is_dir() else models) / _STATE


def which(binary: str) -> str | None:
    """Where a bare name of an engine is: on the PATH, or beside the running Python, where `pip` puts `rocky-local`.

    Args:
        binary: The name.

    Returns:
        Its path, or `None`.
    """
    return shutil.which(binary) or shutil.which(binary, path=str(Path(sys.executable).parent))
