"""Why was something that a finished engine run was asked for not built, and is its exit code accounted for?

Follows the contract's sections 2.3, 5.4 to 5.6 and 18: failed tables have an empty key, failed models a name or
`<runtime>`, a project that does not compile `<compile>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dagster_rocky.engine.logs.decode import RunFacts
from dagster_rocky.planning.plan import Unit
from dagster_rocky.step.ledger import Status

if TYPE_CHECKING:
    from dagster_rocky.results import RunError, RunResult

COMPILE = "<compile>"
PARTIAL = 2
_RUNTIME = "<runtime>"
_MODEL_IN_TEXT = re.compile(r"model '([^']+)'")
_NOT_PARSED = re.compile(r"^\s*- ([^:\n]+): (.*?)(?: at Line: (\d+), Column: \d+)?$", re.MULTILINE)
_TOUCHED = (
    re.compile(r"referenced by '([^']+)'"),
    re.compile(r"model '([^']+)'"),
    re.compile(r"'[^']*?([^'/]+)\.(?:contract\.)?(?:toml|sql|rocky)'"),
)
_PARTITION = re.compile(r"partition '([^']+)' of model")
_CYCLE = re.compile(r"involving: \[(.*?)\]", re.DOTALL)
_WRAPPERS = ("model compilation failed: ", "dependency resolution failed: ", "failed to load models: ")


class Verdict(NamedTuple):
    """The outcome of one unit that was not built, and why."""

    unit: Unit
    status: Status
    reason: str


class CompileFailure(NamedTuple):
    """A project that does not compile.

    Attributes:
        headline: Model, file and line as far as they are known, and the engine's words, on one line.
        models: The models that the error is about.
    """

    headline: str
    models: frozenset[str]

    def verdict(self, unit: Unit) -> Verdict:
        """What it means for a unit: failed when it is about it, otherwise blocked by it."""
        if unit.asset.name in self.models:
            return Verdict(unit, Status.FAILED, self.headline)
        return Verdict(unit, Status.BLOCKED, f"the project's models do not compile: {self.headline}")


def compile_failure(result: RunResult, paths: Mapping[str, str] | None = None) -> CompileFailure | None:
    """The failure of a project that does not compile as a whole, if this is one.

    Args:
        result: The engine's.
        paths: Files of models, relative to the project.

    Returns:
        `None` when the models compile, or some of them do.
    """
    text = next((e.error for e in result.errors if "/".join(e.asset_key) == COMPILE), None)
    return None if text is None else read_compile_error(text, paths)


def read_compile_error(text: str, paths: Mapping[str, str] | None = None) -> CompileFailure:
    r"""Reads the engine's words about a project that does not compile.

    Args:
        text: For example `model compilation failed: unknown dependency 'x' referenced by 'lost'`.
        paths: Files of models, relative to the project.

    Returns:
        One line that a person understands, and the models that it is about.

    Example:
        ```python
        read_compile_error("model compilation failed: unknown dependency 'x' referenced by 'lost'").headline
        # "unknown dependency 'x' referenced by 'lost'"
        ```
    """
    for wrapper in _WRAPPERS:
        text = text.removeprefix(wrapper)
    known = paths or {}
    parsed = _NOT_PARSED.findall(text)
    if parsed:
        name, words, line = parsed[0]
        place = known.get(name, "") + (f":{line}" if line else "")
        more = f" (and {len(parsed) - 1} more)" if len(parsed) > 1 else ""
        headline = f"{name}{f' ({place})' if place else ''}: {words}{more}"
        return CompileFailure(headline, frozenset(name for name, *_ in parsed))
    models = {name for pattern in _TOUCHED for name in pattern.findall(text)}
    models |= {name.strip(' "') for found in _CYCLE.findall(text) for name in found.split(",")}
    lines = [line.strip() for line in text.splitlines() if line.strip(" |^~")]
    return CompileFailure(" ".join(lines[:1] + lines[-1:] if len(lines) > 1 else lines), frozenset(models))


def explain(
    open_units: Sequence[Unit],
    result: RunResult,
    facts: RunFacts,
    *,
    compiled: CompileFailure | None = None,
    live_errors: Mapping[str, str] | None = None,
    engine_error: str | None = None,
) -> Iterator[Verdict]:
    """The outcome of everything that a finished run was asked for and did not build, from what it says.

    Args:
        open_units: What was not built.
        result: The engine's.
        facts: What its log lines told.
        compiled: The failure of the whole project, if it is one.
        live_errors: What hooks told of failed tables, by dotted target.
        engine_error: The engine's own `Error:` text.

    Yields:
        One verdict for each unit.
    """
    excluded = {tuple(table.asset_key): table.reason for table in result.excluded_tables}
    skipped = {d.model: d.reason for d in result.model_decisions if d.decision == "skip"}
    contained = {c.model: c for c in result.contained}
    named = errors_by_name(result.errors)
    remaining = []
    for unit in open_units:
        asset = unit.asset
        error = named.get("/".join(asset.engine_key)) or (
            named.get(asset.name) if asset.kind != "table" else None
        )
        if asset.engine_key in excluded:
            yield _left_out(unit, excluded[asset.engine_key])
        elif result.skipped_idempotent:
            reason = f"run {result.skipped_by_run_id} finished the same request before"
            yield Verdict(unit, Status.UNCHANGED, reason)
        elif asset.name in skipped and asset.kind == "model":
            yield Verdict(unit, Status.UNCHANGED, skipped[asset.name])
        elif error is not None:
            yield Verdict(unit, Status.FAILED, error)
        elif asset.name in contained and asset.kind == "model":
            blocked = contained[asset.name]
            hint = f". {blocked.unblock_hint}" if blocked.unblock_hint else ""
            yield Verdict(unit, Status.BLOCKED, f"blocked by {', '.join(blocked.blocked_by)}{hint}")
        elif compiled is not None and asset.kind != "table":
            yield compiled.verdict(unit)
        else:
            remaining.append(unit)
    yield from _explain_nameless(remaining, result, facts, live_errors or {}, engine_error)


def _left_out(unit: Unit, reason: str) -> Verdict:
    """Why the engine left a table out; only one that the project switched off is excluded."""
    if reason == "table_override_disabled":
        return Verdict(unit, Status.EXCLUDED, "the project switched this table off; it was not copied")
    if reason == "unchanged_since_last_copy":
        return Verdict(unit, Status.UNCHANGED, "the source has not changed since the last copy")
    if reason == "missing_from_source":
        return Verdict(unit, Status.ABSENT, "the source does not have this table now")
    return Verdict(unit, Status.NOT_REPORTED, f"the engine left it out: {reason or 'it gives no reason'}")


def errors_by_name(errors: Sequence[RunError]) -> dict[str, str]:
    """Error texts by model name or joined engine key; several for one name are joined."""
    texts: dict[str, str] = {}
    for error in errors:
        name = "/".join(error.asset_key)
        if name == _RUNTIME:
            found = _MODEL_IN_TEXT.search(error.error)
            name = found.group(1) if found else COMPILE
        if name:
            texts[name] = f"{texts[name]}\n{error.error}" if name in texts else error.error
    return texts


def contradicted(listed: Sequence[Unit], result: RunResult) -> Iterator[Verdict]:
    """What a result lists as built and names in an error as well: no one can say that it was built."""
    named = errors_by_name(result.errors)
    for unit in listed:
        asset = unit.asset
        error = named.get("/".join(asset.engine_key)) or (
            named.get(asset.name) if asset.kind != "table" else None
        )
        partition = _PARTITION.search(error) if error else None
        if error and (partition is None or partition.group(1) == unit.engine_partition):
            reason = f"the engine's result lists it as built, and says: {error}"
            yield Verdict(unit, Status.FAILED, reason)


def _explain_nameless(
    units: Sequence[Unit],
    result: RunResult,
    facts: RunFacts,
    live_errors: Mapping[str, str],
    engine_error: str | None,
) -> Iterator[Verdict]:
    """Outcomes of what no error names: failed tables, and what the run never came to."""
    nameless = [error.error for error in result.errors if not error.asset_key]
    retried = dict(facts.failed_tables)
    tables = [unit for unit in units if unit.asset.kind == "table"]
    certain = len(nameless) >= len(tables)
    first = result.errors[0].error.split("\n", 1)[0] if result.errors else ""
    for unit in units:
        asset, error = unit.asset, None
        if asset.kind == "table":
            error = _error_of_table(unit, nameless, retried, live_errors)
            if error is None and nameless and certain:
                same = len(set(nameless)) == 1
                error = nameless[0] if same else "one of: " + " | ".join(dict.fromkeys(nameless))
        if error is not None:
            yield Verdict(unit, Status.FAILED, error)
        elif result.interrupted:
            reason = "the run was interrupted before the engine came to it"
            yield Verdict(unit, Status.NOT_REPORTED, reason)
        elif engine_error and not result.errors and result.exit_code:
            yield Verdict(unit, Status.FAILED, engine_error)
        elif first:
            reason = f"the run ended before the engine came to it, after: {first}"
            yield Verdict(unit, Status.NOT_REPORTED, reason)
        else:
            reason = (
                "the engine finished without a word about it; did the project change? Then refresh the state"
            )
            yield Verdict(unit, Status.NOT_REPORTED, reason)


def _error_of_table(
    unit: Unit, nameless: Sequence[str], retried: Mapping[str, str], live_errors: Mapping[str, str]
) -> str | None:
    """The error of one table: by what a hook said of it, its target in the text, or its retry's log line."""
    asset = unit.asset
    if not nameless:
        return None
    if asset.target:
        if asset.target in live_errors:
            return live_errors[asset.target]
        _, _, schema_and_table = asset.target.partition(".")
        for text in nameless:
            if schema_and_table and schema_and_table in text:
                return text
    return retried.get(asset.name)


def outside_errors(
    result: RunResult, is_selected: Callable[[str, str | None], bool], missing_extras: int
) -> list[str] | None:
    """The errors of a run that built all that was selected, when every one is about something else.

    Beside something built they give exit code 2 (contract, section 1.2); another code has another reason.

    Args:
        result: The engine's; its exit code is not 0.
        is_selected: Whether a name that the engine uses, with the partition that the error names if it does, is of
            something selected.
        missing_extras: How many tables the run takes along besides the selection and did not build: what a nameless
            error can be about.

    Returns:
        Their texts, at least one; `None` when something is left that the selection does not explain.
    """
    nameless = [error for error in result.errors if not error.asset_key]
    if not result.errors or result.exit_code != PARTIAL or len(nameless) > missing_extras:
        return None
    for name, text in errors_by_name(result.errors).items():
        partition = _PARTITION.search(text)
        if name == COMPILE or is_selected(name, partition.group(1) if partition else None):
            return None
    return [error.error for error in result.errors]
