"""What `dg` and the code locations that it loads import; `support.forking` keeps it ready."""

import click
import sqlglot.dialects.duckdb  # noqa: F401
from dagster_dg_cli.cli import create_dg_cli

import dagster_rocky.standalone
import dagster_rocky.yaml.scaffolding  # noqa: F401
from support import migrations

migrations.read_now()
_cli = create_dg_cli()
_cli.list_commands(click.Context(_cli))
