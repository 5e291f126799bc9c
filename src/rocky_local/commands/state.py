"""`rocky state`: up to where each table was copied."""

from rocky_local.args import Arguments
from rocky_local.clock import rfc3339
from rocky_local.output import Answer, head
from rocky_local.state import SCHEMA_VERSION, reading


def run(args: Arguments) -> Answer:
    """Give the watermarks."""
    with reading(args.state_file) as store:
        marks, on_disk = store.watermarks(), store.schema_version
    stamps = [(table, rfc3339(ns)) for table, ns in marks]
    result = {
        **head("state"),
        "watermarks": [{"table": table, "last_value": at, "updated_at": at} for table, at in stamps],
        "schema_version_supported": SCHEMA_VERSION,
        "schema_version_on_disk": on_disk,
    }
    found = f"v{on_disk}" if on_disk else "none"
    lines = [f"schema version: binary supports v{SCHEMA_VERSION}, on disk {found}"]
    for table, ns in marks:
        stamp = rfc3339(ns, " UTC").replace("T", " ", 1)
        lines.append(f"{table} | {stamp} | {stamp}")
    return Answer(result, "\n".join(lines))
