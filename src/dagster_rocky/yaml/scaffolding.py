"""What does `dg scaffold` write for a `RockyComponent`? Its YAML, and a rocky project where there is none."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import click
import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, field_validator

from dagster_rocky.installation import DISTRIBUTION
from dagster_rocky.yaml.paths import as_text

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

    @field_validator("filter")
    @classmethod
    def _each_is_key_value(cls, value: list[str]) -> list[str]:
        for item in value:
            key, equals, wanted = item.partition("=")
            if not (key.strip() and equals and wanted.strip()):
                raise ValueError(f"--filter must be key=value, for example airport=jfk; got {item!r}")
        return value

    @field_validator("config_path")
    @classmethod
    def _is_a_file(cls, value: str | None) -> str | None:
        if value is not None and (
            Path(value).is_dir() or not (Path(value).exists() or value.endswith(".toml"))
        ):
            raise ValueError(
                f"--config-path must name the project's TOML file; got {value!r}. "
                f"Try {str(Path(value) / CONFIG_NAME)!r}"
            )
        return value


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
        """Writes the component, and what it needs to load.

        Args:
            request: What `dg` was asked; a relative `config_path` in it is seen from the current folder.

        Raises:
            click.ClickException: When a file cannot be written.
        """
        folder = request.target_path.parent if request.append else request.target_path
        config = _config_file(request.params.config_path, folder)
        values = {
            "type_name": request.type_name,
            "class_name": request.type_name.rpartition(".")[2],
            "module_name": request.type_name.rpartition(".")[0],
            "config_path": _as_seen_from(folder, config),
            "binary_path": _binary(request.params.binary_path, folder),
            "binary_is_path": Path(request.params.binary_path or "").exists(),
            "mode": request.params.mode,
            "filters": request.params.filter,
            "components": _components(request.params.filter),
        }
        try:
            if not config.exists():
                _write_starter(config, values)
            if request.scaffold_format == "python":
                _write(folder / "component.py", _render("component.py.jinja", values))
            elif request.append:
                with request.target_path.open("a", encoding="utf-8") as file:
                    file.write("---\n" + _render("defs.yaml.jinja", values))
            else:
                _write(folder / "defs.yaml", _render("defs.yaml.jinja", values))
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


def _render(template: str, values: dict[str, Any]) -> str:
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


def _components(filters: list[str]) -> list[str]:
    """The schema pattern's components that the filters speak of, each once."""
    keys = [item.partition("=")[0].strip() for item in filters]
    return list(dict.fromkeys(key for key in keys if key not in NOT_COMPONENTS)) or ["source"]


def _write_starter(config: Path, values: dict[str, Any]) -> None:
    """Write a rocky project that loads and runs as it is; what is there already stays."""
    click.echo(f"There is no {config} yet: writing a starter project.")
    components = values["components"]
    project = {
        **values,
        "catalog": "warehouse",
        "schema_words": "__".join(f"<{component}>" for component in components),
        "schema_template": "__".join(f"{{{component}}}" for component in components),
    }
    _write(config, _render("rocky_project/rocky.toml.jinja", project))
    models = config.parent / "models"
    if models.exists():
        return
    for name in ("_defaults.toml", "hello.sql", "hello.toml"):
        _write(models / name, _render(f"rocky_project/models/{name}.jinja", project))


def _write(path: Path, text: str) -> None:
    """Write a new file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
