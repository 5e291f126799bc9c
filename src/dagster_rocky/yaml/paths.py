"""Where is what the YAML names, and where is the YAML itself?"""

import os
from pathlib import Path

import dagster as dg

from dagster_rocky.engine.command import which
from dagster_rocky.engine.errors import INSTALL_HINT
from dagster_rocky.yaml.mistakes import Mistake, near

ENGINES = ("rocky", "rocky-local")


def resolve_path(context: dg.ResolutionContext, value: str) -> str:
    """A path relative to the file that names it.

    A linked file stays a link: a mounted `rocky.toml` may point into a folder that holds nothing else of the project.

    Args:
        context: Of the file.
        value: What it says; Dagster has rendered its templates, and braces in the result are none.

    Raises:
        ValueError: When the path is not UTF-8, which neither the engine nor Dagster can write down.
    """
    tree = context.source_position_tree
    folder = Path(tree.position.filename).parent if tree is not None else Path()
    path = folder / value
    return as_text(path.parent.resolve() / path.name)


def resolve_binary(context: dg.ResolutionContext, value: str) -> str:
    """A bare name is looked up by the resource; anything with a slash is a path.

    Args:
        context: Of the file.
        value: What it says; Dagster has rendered its templates, and braces in the result are none.
    """
    return value if "/" not in value else resolve_path(context, value)


def as_text(path: Path) -> str:
    """The path as text, if it is any.

    Args:
        path: A path.

    Raises:
        ValueError: When it is not UTF-8.
    """
    text = str(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode("utf-8", errors="replace")
        raise ValueError(
            f"the path {shown!r} is not UTF-8, so it cannot be written down in definitions and state: "
            "rename its folders"
        ) from error
    return text


def beside(defs: Path, path: str) -> str:
    """A path as it is seen from a component; a default has not been through the resolver, which makes it absolute.

    Args:
        defs: The component's folder or file.
        path: Absolute, or relative to that folder.

    Example:
        ```python
        beside(Path("/project/defs"), "/elsewhere/rocky.toml")  # '/elsewhere/rocky.toml'
        ```
    """
    return str((defs if defs.is_dir() else defs.parent) / path)


def place_of(context: dg.ComponentLoadContext) -> str:
    """Where a component is, relative to the project's definitions, e.g. `landing` or `landing[1]`.

    Args:
        context: Where the component is loaded.
    """
    try:
        place = context.component_loc.get_display_key(context.defs_module_path)
    except ValueError:
        place = context.component_loc.get_display_key(Path("/"))
    return place.replace("/defs.yaml", "").removesuffix("[0]") or "defs"


def require_config(path: Path) -> None:
    """Refuses a config that is not there.

    Args:
        path: The `rocky.toml` that the YAML names.

    Raises:
        Mistake: With the path, and what to do.
    """
    if path.is_file():
        return
    what = "is a folder" if path.is_dir() else "does not exist"
    folder = path if path.is_dir() else path.parent
    beside = sorted(file.name for file in folder.glob("*.toml")) if folder.is_dir() else []
    guess = near(path.name, beside) or (beside[0] if path.is_dir() and beside else None)
    hint = f"Did you mean {guess}? " if guess else ""
    raise Mistake(
        "config_path",
        f"{path.absolute()} {what}. {hint}Name the project's rocky.toml, relative to the defs.yaml; "
        "`dg scaffold defs dagster_rocky.RockyComponent` writes one to start from.",
    )


def require_binary(binary: str, *, may_be_missing: bool = False) -> None:
    """Refuses an engine that is not there.

    Args:
        binary: What the YAML names: a name, or a path.
        may_be_missing: Refuses nothing.

    Raises:
        Mistake: With where it was looked for, and what to do.
    """
    is_path = "/" in binary or os.sep in binary
    if may_be_missing or (os.access(Path(binary).expanduser(), os.X_OK) if is_path else which(binary)):
        return
    guess = None if is_path else near(binary, [name for name in ENGINES if which(name)])
    where = "is no file that can be run" if is_path else "is neither on the PATH nor beside this Python"
    hint = f"Did you mean {guess}? " if guess else ""
    raise Mistake(
        "binary_path",
        f"{binary} {where}. {hint}{INSTALL_HINT} Where no steps are run, say allow_missing_binary: true.",
    )
