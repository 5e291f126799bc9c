"""`rocky emit-sql`: the statements that build the models, as plain SQL even when JSON is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rocky_local import output, tracing
from rocky_local.commands.plan import model_sql
from rocky_local.compiler import compile_project
from rocky_local.errors import EngineError

if TYPE_CHECKING:
    from rocky_local.args import Arguments

_NOTE = """\
-- NOTE: incremental/merge statement — operates on an existing target.
-- `rocky run` bootstraps the table on first build and threads the
-- incremental watermark from state; this static SQL does neither.
"""


def run(args: Arguments) -> int:
    """Print the SQL and name the models that have none."""
    variables = args.variables()
    compiled = compile_project(args.get("models") or "models", variables=variables)
    parts, skipped = [], []
    for model in compiled.listed():
        try:
            sql = model_sql(model, variables)
        except EngineError as error:
            skipped.append(f"  - {model.name} ({error.message})")
            continue
        note = _NOTE if model.kind in ("incremental", "merge") else ""
        parts.append(f"-- model: {model.name}\n{note}{sql};\n")
    text = "\n".join(parts)
    if args.get("out"):
        Path(str(args.get("out"))).write_text(text, encoding="utf-8")
    else:
        output.write(text)
    if skipped:
        tracing.plain("\n".join([f"emit-sql: {len(skipped)} model(s) not emitted:", *skipped]))
    return 0
