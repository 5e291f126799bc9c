"""Is this the only distribution that has installed files into `dagster_rocky/`?"""

import os
from pathlib import Path

DISTRIBUTION = "dagster-rocky-component"
OTHER = "dagster-rocky"


def refuse_the_other(package: Path) -> None:
    """Refuses to be imported from a folder that another distribution has written into as well.

    A registry has a package of somebody else's that is called `dagster-rocky` and is imported by the same name. Where
    both were installed, each has overwritten files of the other. Only the folder of this package is looked at, once,
    by the names in it.

    Args:
        package: The folder of this package.

    Raises:
        ImportError: With the way out.

    Example:
        ```python
        refuse_the_other(Path("site-packages/dagster_rocky"))
        ```
    """
    record = _record_of_the_other(package.parent)
    if record is None or f"{package.name}/__init__.py," not in record.read_text("utf-8", "replace"):
        return
    version = record.parent.name.removeprefix("dagster_rocky-").removesuffix(".dist-info")
    raise ImportError(
        f"Two distributions have installed files into {package}: {DISTRIBUTION}, which you want, and {OTHER} "
        f"{version}, which is somebody else's. Neither is whole now. Remove both with "
        f"`pip uninstall {OTHER} {DISTRIBUTION}`, then install {DISTRIBUTION} again."
    )


def _record_of_the_other(folder: Path) -> Path | None:
    """The list of files that the other distribution has installed beside this package, if it has any."""
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    for name in names:
        if name.startswith("dagster_rocky-") and name.endswith(".dist-info"):
            record = folder / name / "RECORD"
            return record if record.is_file() else None
    return None
