"""What `dg` loads: the definitions of every `defs.yaml` in this project."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    # One step after the other, in one process: DuckDB lets a single process at a time open the file.
    return dg.Definitions.merge(loaded, dg.Definitions(executor=dg.in_process_executor))
