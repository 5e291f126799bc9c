"""In which folders are a project's models, as its pipelines' globs say (contract, section 1.3)?"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

DEFAULT_FOLDER = "models"
"""Where the engine's commands look when no folder is named."""
TEST_DEFINITIONS = "test_definitions.toml"
"""The file in a models' folder with the tests that sidecars use by name (contract, section 16)."""


def model_folders(config: Mapping[str, Any], models_dir: str | None = None) -> list[str]:
    """The folders that the `models` globs of the transformation pipelines start from, each once.

    Args:
        config: A normalised `rocky.toml`.
        models_dir: A folder that is named beside it, relative to `rocky.toml`; it comes first.

    Returns:
        Folders relative to `rocky.toml`; none when there is no transformation.

    Example:
        ```python
        model_folders({"pipeline": {"marts": {"type": "transformation", "models": "transforms/**"}}})
        # ['transforms']
        ```
    """
    globs = [
        str(body.get("models", f"{DEFAULT_FOLDER}/**"))
        for body in config.get("pipeline", {}).values()
        if body.get("type") == "transformation"
    ]
    folders = [str(PurePosixPath(models_dir))] if models_dir else []
    found = dict.fromkeys([*folders, *map(_fixed_part, globs)])
    return [folder for folder in found if not any(_is_below(folder, other) for other in found)]


def compiled_folders(config: Mapping[str, Any], models_dir: str | None, project_dir: Path) -> list[str]:
    """The folders to compile, one after the other: the engine compiles one, and by itself only `models`.

    Args:
        config: A normalised `rocky.toml`.
        models_dir: A folder that is named beside it.
        project_dir: The folder of `rocky.toml`.

    Returns:
        Those that hold models; parts of `models` are compiled as a whole, since they may depend on each other.
    """
    folders = model_folders(config, models_dir)
    whole = [DEFAULT_FOLDER if _is_below(folder, DEFAULT_FOLDER) else folder for folder in folders]
    chosen = folders if models_dir else list(dict.fromkeys(whole))
    return [folder for folder in chosen if any(map(is_model, files_below(project_dir / folder)))]


def is_model(path: Path) -> bool:
    """Whether a file is a model by its name."""
    return path.suffix in {".sql", ".rocky"}


def files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder, symlinked folders included, each real folder once.

    Args:
        folder: Where to look; one that does not exist has no files.

    Yields:
        Paths as they are reached from `folder`, sorted folder by folder; links are not resolved.
    """
    seen: set[tuple[int, int]] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        status = os.stat(root)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield from (path for path in (Path(root, name) for name in sorted(names)) if path.is_file())


def _is_below(folder: str, other: str) -> bool:
    return folder != other and (other == "." or folder.startswith(f"{other}/"))


def _fixed_part(glob: str) -> str:
    """What comes before the first wildcard."""
    fixed: list[str] = []
    for part in PurePosixPath(glob).parts:
        if any(sign in part for sign in "*?["):
            break
        fixed.append(part)
    if fixed and PurePosixPath(fixed[-1]).suffix in {".sql", ".rocky"}:
        fixed.pop()
    return "/".join(fixed) or "."
