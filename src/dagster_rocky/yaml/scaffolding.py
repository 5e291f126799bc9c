"""What does `dg scaffold` write for a `RockyComponent`? Its YAML, and a rocky project where there is none."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import click
import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler

from dagster_rocky.engine.command import which
from dagster_rocky.installation import DISTRIBUTION
from dagster_rocky.yaml import starter
from dagster_rocky.yaml.mistakes import Mistake, instead
from dagster_rocky.yaml.paths import as_text, require_binary
from dagster_rocky.yaml.wanted import demand, find

CONFIG_NAME = "rocky.toml"
ENGINE = "rocky"
EMBEDDED_ENGINE = "rocky-local"
NOT_COMPONENTS = ("id", "table")


class RockyScaffoldParams(BaseModel):
    """The options of `dg scaffold defs dagster_rocky.RockyComponent NAME`.

    Example:
        ```python
        RockyScaffoldParams(config_path="warehouse/rocky.toml", mode="pipes", filter=["airport=jfk"])
        ```
    """

    model_config = ConfigDict(extra="forbid")

    template: Literal["starter", "replication", "models", "tenants"] = Field(
        default="starter",
        description="The project to write where there is no rocky.toml yet: starter (sources, copies and models), "
        "replication (copies alone), models (models alone) or tenants (copies, with a partition for each tenant).",
        examples=["tenants"],
    )
    config_path: str | None = Field(
        default=None,
        description="Where the project's rocky.toml is, seen from the current folder. One that does not "
        "exist is written. Unset: the rocky.toml of the current folder, else a new one beside the component.",
        examples=["warehouse/rocky.toml"],
    )
    binary_path: str | None = Field(
        default=None,
        description="The engine: a name on PATH, or a path. Unset: rocky if it is on PATH, else rocky-local.",
        examples=["rocky", "rocky-local", "/opt/rocky/bin/rocky"],
    )
    mode: Literal["buffered", "streaming", "pipes"] = Field(
        default="streaming", description="How the engine is run.", examples=["pipes"]
    )
    filter: list[str] = Field(
        default_factory=list,
        description="Which sources the component owns, as key=value; several are a union.",
        examples=[["airport=jfk", "airport=lga"]],
    )

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """`dg` shows what pydantic says as JSON, and what click says as one line."""
        try:
            return handler(value)
        except ValidationError as error:
            raise click.ClickException(_first_of(error, cls)) from None

    @field_validator("filter")
    @classmethod
    def _each_is_key_value(cls, value: list[str]) -> list[str]:
        for item in value:
            key, equals, wanted = item.partition("=")
            if not (key.strip() and equals and wanted.strip()):
                raise ValueError(f"must be key=value, for example airport=jfk, not {item!r}")
        return value

    @field_validator("config_path")
    @classmethod
    def _is_a_file(cls, value: str | None) -> str | None:
        if value is not None and (Path(value).is_dir() or not value.endswith(".toml")):
            raise ValueError(
                f"must name the project's TOML file, not {value!r}. Try {str(Path(value) / CONFIG_NAME)!r}"
            )
        return value

    @field_validator("binary_path")
    @classmethod
    def _is_an_engine(cls, value: str | None) -> str | None:
        if value is not None and "{{" not in value:
            try:
                require_binary(value)
            except Mistake as mistake:
                raise ValueError(
                    mistake.said.removesuffix(" Where no steps are run, say allow_missing_binary: true.")
                ) from None
        return value


def _first_of(error: ValidationError, model: type[BaseModel]) -> str:
    detail = error.errors()[0]
    name = str(detail["loc"][0])
    option = f"--{name.replace('_', '-')}"
    raised = detail.get("ctx", {}).get("error")
    if raised is not None:
        return f"{option} {raised}"
    if detail["type"] == "extra_forbidden":
        return f"there is no option {option}. {instead(name, model.model_fields, limit=0)}"
    annotation, field, _ = find(model, (name,))
    return f"{option} {demand(annotation, field, name, detail['input']) or detail['msg']}"


class RockyComponentScaffolder(dg.Scaffolder[RockyScaffoldParams]):
    """Renders `defs.yaml` (or `component.py`), and a starter rocky project when there is no `rocky.toml` yet.

    Example:
        ```console
        $ dg scaffold defs dagster_rocky.RockyComponent flights --config-path rocky.toml --mode pipes
        ```
    """

    @classmethod
    def get_scaffold_params(cls) -> type[RockyScaffoldParams]:
        """The options that the command takes."""
        return RockyScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[RockyScaffoldParams]) -> None:
        """Writes the component, and what it needs to load; a file that is there already is never changed.

        Args:
            request: What `dg` was asked; a relative `config_path` in it is seen from the current folder.

        Raises:
            click.ClickException: When a file cannot be written.
        """
        params = request.params
        folder = request.target_path.parent if request.append else request.target_path
        config = _config_file(params.config_path, folder)
        is_new = not config.exists()
        prefix = _key_prefix(request.target_path, folder, append=request.append)
        values = {
            "type_name": request.type_name,
            "class_name": request.type_name.rpartition(".")[2],
            "module_name": request.type_name.rpartition(".")[0],
            "config_path": _as_seen_from(folder, config),
            "binary_path": _binary(params.binary_path, folder),
            "binary_is_path": Path(params.binary_path or "").exists(),
            "mode": params.mode,
            "filters": params.filter,
            "component": _component(params.filter) or starter.COMPONENT,
            "key_prefix": prefix,
            "template": params.template,
            "is_new": is_new,
            "end": starter.END,
            "schedule": f"{re.sub(r'[^A-Za-z0-9_]', '_', folder.name)}_nightly",
        }
        unknown = [item for item in params.filter if is_new and item not in starter.FILTERS]
        if unknown:
            raise click.ClickException(
                f"--filter {unknown[0]}: there is no {config} yet, and the project that would be written has "
                f"{', '.join(starter.FILTERS)}. Take one of these, or name your own project with --config-path."
            )
        name = "component.py" if request.scaffold_format == "python" else "defs.yaml"
        text = _render(f"{name}.jinja", values)
        try:
            if not request.append:
                _write(folder / name, text)
            if is_new:
                command = starter.launch(params.template, prefix)
                _write_project(config, params.template, str(values["binary_path"]), folder, command)
            if request.append:
                with request.target_path.open("a", encoding="utf-8") as file:
                    file.write("---\n" + text)
        except OSError as error:
            raise click.ClickException(f"cannot write the component: {error}") from error


def templates_folder() -> Path:
    """Where the templates are: in the installed package, or at the top of the repository that it runs from.

    Raises:
        FileNotFoundError: When the installation is incomplete.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "component_templates", package.parents[1] / "component_templates"):
        if (folder / "defs.yaml.jinja").is_file():
            return folder
    raise FileNotFoundError(
        f"the templates of {DISTRIBUTION} are not in {package}: the installation is incomplete. Install it again."
    )


def _render(template: str, values: Mapping[str, Any]) -> str:
    """The template with the values; a variable that the template misspells is an error."""
    import jinja2  # noqa: PLC0415 - only scaffolding needs it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_folder()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        variable_start_string="<<",
        variable_end_string=">>",
    )
    environment.filters["quoted"] = _quoted
    environment.filters["literal"] = _literal
    return environment.get_template(template).render(values)


def _quoted(value: str) -> str:
    """The text as a double-quoted string that YAML, TOML and Python read alike."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _literal(value: str) -> str:
    """The text as the YAML's own templates leave it: braces in a path are no template."""
    return f"{{% raw %}}{value}{{% endraw %}}" if any(sign in value for sign in ("{{", "{%", "{#")) else value


def _config_file(given: str | None, folder: Path) -> Path:
    """The absolute path of the rocky.toml that the component is about."""
    if given is not None:
        return Path(given).absolute()
    here = Path.cwd() / CONFIG_NAME
    return here if here.exists() else folder.absolute() / CONFIG_NAME


def _as_seen_from(folder: Path, path: Path) -> str:
    """The path relative to the folder of the component, with forward slashes."""
    try:
        return as_text(Path(os.path.relpath(path, folder.absolute()))).replace(os.sep, "/")
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _binary(given: str | None, folder: Path) -> str:
    """The engine to write down: what was asked for, or the one that is installed."""
    if given is not None:
        is_name = Path(given).name == given
        return (
            given if is_name or Path(given).is_absolute() else _as_seen_from(folder, Path(given).absolute())
        )
    if shutil.which(ENGINE) is None and importlib.util.find_spec("duckdb") is not None:
        click.echo(
            f"`{ENGINE}` is not on PATH: binary_path is `{EMBEDDED_ENGINE}`, the embedded engine of "
            f"{DISTRIBUTION}. Change it in the component when `{ENGINE}` is installed."
        )
        return EMBEDDED_ENGINE
    return ENGINE


def _component(filters: list[str]) -> str | None:
    """A schema pattern's component that the filters speak of, for the comments."""
    keys = [item.partition("=")[0].strip() for item in filters]
    return next((key for key in keys if key not in NOT_COMPONENTS), None)


def _key_prefix(target: Path, folder: Path, *, append: bool) -> str | None:
    """What tells the keys of a second component from those of the first; `None` for the first."""
    defs = next((parent for parent in folder.parents if parent.name == "defs"), folder.parent)
    others = [path for name in ("defs.yaml", "component.py") for path in defs.rglob(name)]
    before = sum(
        path.read_text(encoding="utf-8").count("RockyComponent\n") > 0 for path in others if path.is_file()
    )
    if not before:
        return None
    return (
        f"{folder.name}_{target.read_text(encoding='utf-8').count('type: ') + 1}" if append else folder.name
    )


def _write_project(config: Path, template: str, binary: str, folder: Path, launch: str) -> None:
    """Write the project, load its data and say how to go on; what is there already stays."""
    click.echo(f"There is no {config} yet: writing a project to start from.")
    values = starter.values(template, binary)
    source = templates_folder() / "rocky_project"
    for file in starter.files(source, template):
        name = ".gitignore" if file.name == "gitignore.jinja" else file.name.removesuffix(".jinja")
        place = config if name == CONFIG_NAME else config.parent / file.relative_to(source).parent / name
        if not place.exists():
            _write(place, _render(file.relative_to(source.parent).as_posix(), values))
    if _seed(config, binary, folder, str(values["seeding"])):
        click.echo(f"The source tables are loaded. Now build everything: {launch}")


def _seed(config: Path, binary: str, folder: Path, pipeline: str) -> bool:
    """Load the source tables, which the engine must find to know of them; say so where that is not possible."""
    engine = str(folder / binary) if "/" in binary and not Path(binary).is_absolute() else binary
    command = [which(engine) or engine, "-c", config.name, "seed", "--pipeline", pipeline, "-o", "json"]
    try:
        done = subprocess.run(
            command, cwd=config.parent, capture_output=True, text=True, check=False, timeout=120
        )
        said = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said:
        shown = f"{binary} -c {config.name} seed --pipeline {pipeline}"
        click.echo(f"The source tables are not loaded: {said}. Run `{shown}` in {config.parent}, then start.")
    return not said


def _write(path: Path, text: str) -> None:
    """Write a new file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise click.ClickException(
            f"{path} is there already and stays as it is: give the component another name."
        ) from error
