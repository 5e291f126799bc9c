"""Where is what the YAML names, and where is the YAML itself?"""

import os
from pathlib import Path

import dagster as dg


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
        dagster.Failure: With the path, and what to do.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise dg.Failure(
            description=(
                f"config_path: {path.absolute()} {what}. Name the project's rocky.toml, relative to the "
                "defs.yaml; `dg scaffold defs dagster_rocky.RockyComponent` writes one to start from."
            ),
            allow_retries=False,
        )
