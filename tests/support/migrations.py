"""Dagster's migration scripts, read once a process.

Each new storage of an instance, in memory too, notes the newest of some ninety scripts, and alembic reads all of them
anew for that. A test process makes a thousand storages.
"""

from functools import cache

import dagster as dg
from alembic.config import Config
from alembic.script import ScriptDirectory

_read = ScriptDirectory.from_config


@cache
def _known(location: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", location)
    return _read(config)


def _from_config(config: Config) -> ScriptDirectory:
    return _known(config.get_main_option("script_location") or "")


def read_once() -> None:
    """From now on, this process reads each folder of scripts once."""
    ScriptDirectory.from_config = staticmethod(_from_config)  # type: ignore[method-assign, assignment]


def read_now() -> None:
    """Reads those of an instance on disk, so that the processes that this one forks do not."""
    read_once()
    with dg.instance_for_test():
        pass
