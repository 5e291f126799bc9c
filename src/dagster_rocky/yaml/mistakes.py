"""What is a mistake in the YAML, and how is it told: file, line, field, and what would be right?"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from dagster.components.resolved.errors import ResolutionException

Path = tuple[str | int, ...]


class Mistake(ValueError):
    """A value that cannot be, found where its place in the file is not known.

    Attributes:
        path: The field, below the mapping that is checked.
        said: What is wrong with it, and what would be right.

    Example:
        ```python
        str(Mistake(("partitions", "every"), "needs `start`"))  # 'partitions.every: needs `start`'
        ```
    """

    def __init__(self, path: str | Path, said: str) -> None:
        self.path: Path = (path,) if isinstance(path, str) else path
        self.said = said
        super().__init__(f"{dotted(self.path)}: {said}")


@dataclass(frozen=True)
class Fault:
    """A mistake in its place.

    Attributes:
        file: The YAML file; `None` for a component that is made in Python.
        line: The line of the field, or of the closest mapping around it.
        field: For example `run.timeout_seconds`.
        said: What is wrong with it, and what would be right.
    """

    file: str | None
    line: int | None
    field: str
    said: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file else ""
        return f"{place}{self.field}: {self.said}" if self.field else f"{place}{self.said}"


class WrongYaml(ResolutionException):
    """The mistakes of one component, each on a line of its own.

    Attributes:
        faults: The mistakes.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, faults)))


def place(context: dg.ResolutionContext | None, path: Path, said: str) -> Fault:
    """A mistake with its file and line.

    Args:
        context: Of the component's document, if it is YAML.
        path: The field below `attributes`.
        said: What is wrong with it.

    Returns:
        The fault; its line is that of the closest mapping when the field is not written.
    """
    positions = context.source_position_tree if context else None
    if positions is None:
        return Fault(None, None, dotted(path), said)
    position, _ = positions.lookup_closest_and_path(["attributes", *path], trace=None)
    return Fault(position.filename, position.start.line, dotted(path), said)


@contextmanager
def placed(context: dg.ResolutionContext | None) -> Iterator[None]:
    """Gives the mistakes that are raised within it their place.

    Args:
        context: Of the component's document, if it is YAML.

    Raises:
        WrongYaml: In the place of a `Mistake`.
    """
    try:
        yield
    except Mistake as mistake:
        raise WrongYaml([place(context, mistake.path, mistake.said)]) from None


def dotted(path: Iterable[str | int]) -> str:
    """A field's path as people write it.

    Args:
        path: Names and numbers of list items.

    Returns:
        For example `filters[0]`.

    Example:
        ```python
        dotted(("checks", "overrides", "row_count", "severity"))  # 'checks.overrides.row_count.severity'
        ```
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def near(word: str, known: Iterable[str]) -> str | None:
    """What somebody meant who wrote a word that does not exist.

    Args:
        word: What is written.
        known: What there is.

    Returns:
        The nearest one, if any is near.

    Example:
        ```python
        near("paralelism", ["parallelism", "pipelines"])  # 'parallelism'
        ```
    """
    folded: Mapping[str, str] = {name.casefold(): name for name in known}
    wanted = word.casefold()
    close = difflib.get_close_matches(wanted, folded, n=1)
    if close:
        return folded[close[0]]
    longer = [
        name for name in folded if len(wanted) > 2 and (name.startswith(wanted) or wanted.startswith(name))
    ]
    return folded[longer[0]] if longer else None


def instead(word: str, known: Iterable[str], *, there_is: str = "There is", limit: int = 12) -> str:
    """The end of a message about a word that does not exist.

    Args:
        word: What is written.
        known: What there is.
        there_is: How the list of it begins.
        limit: How many of them are named; 0 names none beside a near one, and all where there is none.

    Returns:
        The near one if there is any, and what there is.

    Example:
        ```python
        instead("landin", ["landing", "marts"])  # 'Did you mean `landing`? There is: landing, marts.'
        ```
    """
    names = list(known)
    guess = near(word, names)
    if guess and limit == 0:
        return f"Did you mean `{guess}`?"
    most = limit or len(names)
    shown = ", ".join(names[:most]) or "none"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (f"Did you mean `{guess}`? " if guess else "") + f"{there_is}: {shown}{more}."
