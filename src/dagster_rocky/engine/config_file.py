"""What does a TOML file of a project say, read as the engine reads it (contract, sections 2.1 and 18)?"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_PLURALS = {"adapters": "adapter", "pipelines": "pipeline", "hooks": "hook", "roles": "role"}
_BARE_PIPELINE = ("type", "source", "models", "tables", "unique_key", "source_dir")


def substitute(text: str) -> str:
    """The text with `${VAR}` and `${VAR:-default}` replaced from the environment.

    A variable that is neither set nor has a default stays as it is written, and so does what is no variable's name.

    Example:
        ```python
        substitute("${NOT_SET:-x.duckdb} ${NOT_SET} ${1X:-a}")  # 'x.duckdb ${NOT_SET} ${1X:-a}'
        ```
    """

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        return os.environ.get(name, default if default is not None else match.group(0))

    return _VARIABLE.sub(value, text)


def read_toml(path: Path) -> dict[str, Any]:
    """Reads `rocky.toml` or a sidecar, with its variables substituted; a byte order mark is passed over.

    Raises:
        tomllib.TOMLDecodeError: When it is no TOML.
        UnicodeDecodeError: When it is not UTF-8.
        OSError: When it cannot be read.
    """
    return tomllib.loads(substitute(path.read_text(encoding="utf-8-sig")))


def normalised(config: Mapping[str, Any]) -> dict[str, Any]:
    """A parsed `rocky.toml` in one spelling: `adapter.NAME`, `pipeline.NAME`, `hook`, `role`.

    `[adapters.x]` and the other plurals become the singular, a bare `[adapter]` or `[pipeline]` becomes `default`.
    What is no table stays out of `adapter` and `pipeline`.

    Example:
        ```python
        normalised({"adapter": {"type": "duckdb"}})  # {'adapter': {'default': {'type': 'duckdb'}}}
        ```
    """
    found: dict[str, Any] = {}
    for name, body in config.items():
        singular = _PLURALS.get(name, name)
        if isinstance(body, Mapping) and isinstance(found.get(singular), Mapping):
            found[singular] = {**found[singular], **body}
        else:
            found.setdefault(singular, body)
    for name, marks in (("adapter", ("type",)), ("pipeline", _BARE_PIPELINE)):
        body = found.get(name)
        if not isinstance(body, Mapping):
            found.pop(name, None)
        elif any(mark in body and not _is_named(body[mark], mark) for mark in marks):
            found[name] = {"default": dict(body)}
        else:
            found[name] = {key: value for key, value in body.items() if isinstance(value, Mapping)}
    return found


def _is_named(value: Any, mark: str) -> bool:
    """Whether a key of `[pipeline]` that looks like a setting is a pipeline of that name."""
    return isinstance(value, Mapping) and (
        mark != "source" or bool(value.keys() & {"type", "target", "source"})
    )


def duckdb_files(config: Mapping[str, Any]) -> Iterator[str]:
    """The paths of the DuckDB files that a normalised `rocky.toml` names, as they are written."""
    for adapter in config.get("adapter", {}).values():
        if adapter.get("type") == "duckdb" and adapter.get("path") not in (None, "", ":memory:"):
            yield str(adapter["path"])
