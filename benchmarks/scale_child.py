"""What one fresh process does that `scale.py` measures: loads a generated project, then launches one of its tables.

    python benchmarks/scale_child.py component|bare TABLES MODELS FOLDER

The folder has the state and the engine, which notes when it starts. Times are seconds of processor time.
"""

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENGINE = """#!/bin/sh
cat /proc/$PPID/stat >> {folder}/started
cat /proc/uptime >> {folder}/started
cat {folder}/result.json
"""
TICKS = os.sysconf("SC_CLK_TCK")


def load_component(folder: Path, spent: dict[str, float]) -> Any:
    """From the state file to definitions."""
    from dagster_rocky import RockyComponent
    from dagster_rocky.project.snapshot import ProjectSnapshot

    spent["imported"] = time.process_time()
    snapshot = ProjectSnapshot.read(folder / "state")
    spent["parse"] = time.process_time() - spent["imported"]
    component = RockyComponent(config_path=str(folder / "rocky.toml"), binary_path=str(folder / "engine"))
    return component.build_defs_from_snapshot(snapshot)


def load_bare(folder: Path, tables: int, models: int, spent: dict[str, float]) -> Any:
    """The same definitions, whose step starts the same engine."""
    import dagster as dg
    from generated import bare_definitions

    def body(context: dg.AssetExecutionContext) -> Iterator[Any]:
        subprocess.run([str(folder / "engine")], check=True, capture_output=True)
        for key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key)

    spent["imported"] = time.process_time()
    return bare_definitions(folder, tables, models, body)


def started(folder: Path) -> tuple[float, float]:
    """Processor time and seconds that this process had lived when it first started the engine."""
    stat, uptime = (folder / "started").read_text().splitlines()[:2]
    fields = stat.rpartition(")")[2].split()
    used = (int(fields[11]) + int(fields[12])) / TICKS
    return used, float(uptime.split()[0]) - int(fields[19]) / TICKS


def peak() -> float:
    """MiB; the figure of `getrusage` begins with that of the process that started this one."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1024


def main(side: str, tables: int, models: int, folder: Path) -> None:
    warnings.simplefilter("ignore")
    spent: dict[str, float] = {}
    defs = load_component(folder, spent) if side == "component" else load_bare(folder, tables, models, spent)
    graph = defs.resolve_asset_graph()
    job = defs.resolve_implicit_global_asset_job_def()
    spent["load"] = time.process_time() - spent["imported"]
    spent["peak"] = peak()
    keys = graph.materializable_asset_keys
    assert len(keys) == tables + models, (len(keys), tables, models)
    if tables:
        (folder / "started").unlink(missing_ok=True)
        first = min(keys, key=lambda key: key.path)
        assert job.execute_in_process(asset_selection=[first]).success
        spent["launch"], spent["launch wall"] = started(folder)
    sys.stdout.write(json.dumps(spent))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
