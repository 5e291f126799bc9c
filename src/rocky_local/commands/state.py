"""`rocky state`: up to where each table was copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocky_local import clock, output
from rocky_local.state import SCHEMA_VERSION, locate, open_for_reading

if TYPE_CHECKING:
    from rocky_local.args import Arguments


def run(args: Arguments) -> int:
    """Print the watermarks."""
    store = open_for_reading(locate(args.get("state-path"), args.get("state-namespace")))
    marks = store.watermarks() if store else []
    on_disk = store.schema_version if store else None
    if store:
        store.close()
    if args.json:
        output.print_json(
            {
                **output.head("state"),
                "watermarks": [
                    {"table": table, "last_value": clock.rfc3339(ns), "updated_at": clock.rfc3339(ns)}
                    for table, ns in marks
                ],
                "schema_version_supported": SCHEMA_VERSION,
                "schema_version_on_disk": on_disk,
            }
        )
        return 0
    found = f"v{on_disk}" if on_disk else "none"
    lines = [f"schema version: binary supports v{SCHEMA_VERSION}, on disk {found}"]
    for table, ns in marks:
        stamp = clock.rfc3339(ns, " UTC").replace("T", " ", 1)
        lines.append(f"{table} | {stamp} | {stamp}")
    output.print_text("\n".join(lines))
    return 0
