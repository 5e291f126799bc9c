"""Which commands of its own has this package? `python -m dagster_rocky`, beside those of `dg`."""

import json
from pathlib import Path

import click
import dagster as dg


@click.group(help="Commands of dagster_rocky, beside those of `dg`.")
def main() -> None:
    """The commands."""


@main.command(help="Check every defs.yaml of a project; exit with 1 if one has a mistake.")
@click.option("--json", "wants_json", is_flag=True, help="Print the outcome as JSON.")
@click.option(
    "--project", type=click.Path(path_type=Path, exists=True), default=Path(), help="A folder in it."
)
def check(wants_json: bool, project: Path) -> None:
    """Checks every component file of a project."""
    from dagster_rocky.checking import as_json, check_project  # noqa: PLC0415 - other commands do without

    try:
        files, findings = check_project(project.absolute())
    except dg.DagsterError as error:
        raise click.ClickException(str(error)) from error
    if wants_json:
        click.echo(json.dumps(as_json(files, findings), indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding}" if finding.level == "error" else f"{finding} (a warning)")
        if not findings:
            click.echo(f"{len(files)} files, no mistakes.")
    if any(finding.level == "error" for finding in findings):
        raise SystemExit(1)


@main.command(help="Show the engine runs that a selection would make, and run none of them.")
@click.option("--selection", required=True, help="Assets in Dagster's selection syntax.")
@click.option("--partition", "partitions", multiple=True, help="A partition; may be given several times.")
@click.option("--statements", is_flag=True, help="Ask the engine what each replication would do.")
@click.option(
    "--project", type=click.Path(path_type=Path, exists=True), default=Path(), help="The dg project's folder."
)
def plan(selection: str, partitions: tuple[str, ...], statements: bool, project: Path) -> None:
    """Previews a run."""
    from dagster_rocky.previewing.runs import as_markdown  # noqa: PLC0415
    from dagster_rocky.project_preview import preview_project  # noqa: PLC0415 - other commands do without

    try:
        runs = preview_project(project.absolute(), selection, partitions, statements=statements)
    except dg.Failure as failure:
        raise click.ClickException(failure.description or str(failure)) from failure
    except dg.DagsterError as error:
        raise click.ClickException(str(error)) from error
    click.echo(as_markdown(runs))


if __name__ == "__main__":
    main(prog_name="python -m dagster_rocky")
