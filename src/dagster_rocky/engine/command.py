"""Which binary, with which global flags, where: the engine's command line (contract, section 1)."""

import os
import re
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine and the project that it runs on.

    Attributes:
        binary: Name on the PATH, or path of the binary.
        config: Path of `rocky.toml`.
        state_path: The engine's `--state-path`; relative to the folder of the config.
        state_namespace: The engine's `--state-namespace`.
        environment: Extra environment variables.
    """

    binary: str
    config: Path
    state_path: str | None = None
    state_namespace: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The working directory: every path of the engine is relative to it (contract, section 1.3)."""
        return self.config.absolute().parent

    def argv(self, args: Sequence[str]) -> list[str]:
        """The whole command for a subcommand and its flags."""
        argv = [self.executable(), "-c", self.config.name]
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
        found = shutil.which(self.binary)
        if found is None:
            found = shutil.which(self.binary, path=str(Path(sys.executable).parent))
        return found or self.binary

    def process_environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The environment of the engine's process; inherited Pipes variables of other sessions are left out."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_PIPES_")
        }
        return {**inherited, "ROCKY_SUPPRESS_DEPRECATION": "1", **self.environment, **extra}

    def locked_files(self) -> list[Path]:
        """The files that only one run may use at a time: the run state, and the DuckDB files of the project.

        Read from the config as it is on disk; one that cannot be read locks its state file only.
        """
        return [self._state_file(), *_duckdb_files(self.config)]

    def _state_file(self) -> Path:
        if self.state_path:
            return self.folder / self.state_path
        if self.state_namespace:
            return self.folder / "models" / ".rocky-state" / f"{self.state_namespace}.redb"
        legacy = self.folder / ".rocky-state.redb"
        if legacy.exists() or not (self.folder / "models").is_dir():
            return legacy
        return self.folder / "models" / ".rocky-state.redb"


def _duckdb_files(config: Path) -> list[Path]:
    def variable(match: re.Match[str]) -> str:
        return os.environ.get(match.group(1), match.group(3) or "")

    try:
        text = re.sub(r"\$\{(\w+)(:-([^}]*))?\}", variable, config.read_text(encoding="utf-8"))
        adapters = tomllib.loads(text).get("adapter", {})
    except (OSError, ValueError):
        return []
    if not isinstance(adapters, dict):
        return []
    tables = [adapters] if "type" in adapters else [a for a in adapters.values() if isinstance(a, dict)]
    return [
        config.absolute().parent / str(table["path"])
        for table in tables
        if table.get("type") == "duckdb" and table.get("path") not in (None, "", ":memory:")
    ]
