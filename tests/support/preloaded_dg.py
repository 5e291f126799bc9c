"""What `dg` and the code locations that it loads import; `support.forking` keeps it ready.

Each time that Dagster loads a folder of definitions, six times for one launch, it asks which packages have components
and describes all types of components by their JSON schemas. They are the same each time.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import click
import sqlglot.dialects.duckdb  # noqa: F401
from dagster.components.core import load_defs, package_entry, snapshot
from dagster_dg_cli.cli import create_dg_cli

import dagster_rocky.standalone
import dagster_rocky.yaml.scaffolding  # noqa: F401
from support import migrations

migrations.read_now()
package_entry.get_entry_points_from_python_environment = cache(  # type: ignore[assignment]
    package_entry.get_entry_points_from_python_environment
)
snapshot.get_package_entry_snap = cache(snapshot.get_package_entry_snap)  # type: ignore[assignment]
_describe = load_defs.json_for_all_components
_described: dict[tuple[int, ...], Any] = {}


def _describe_once(snaps: Sequence[Any]) -> Any:
    """The descriptions of types whose snapshots are kept, so that each is known by its identity."""
    known = tuple(map(id, snaps))
    if known not in _described:
        _described[known] = _describe(snaps)
    return _described[known]


load_defs.json_for_all_components = _describe_once
load_defs.get_library_json_enriched_defs(None)
_cli = create_dg_cli()
_cli.list_commands(click.Context(_cli))
