"""Folders for Dagster to keep runs and events in, whose empty databases are made once a process."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

import dagster as dg

from support import migrations


def make_home(folder: Path) -> Path:
    """A new home for Dagster, without telemetry; it must not exist yet."""
    return Path(shutil.copytree(_empty().name, folder))


@cache
def _empty() -> tempfile.TemporaryDirectory[str]:
    migrations.read_once()
    home = tempfile.TemporaryDirectory(prefix="dagster-home-")
    Path(home.name, "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(home.name) as instance:
        assert instance.is_persistent
    return home
