"""Recorded projects, made anew with their data, and components on them that run the embedded engine."""

import shutil
import tomllib
from pathlib import Path

import dagster as dg

from dagster_rocky import RockyComponent, build_rocky_definitions
from support import forking
from support.seeding import fill

PROJECTS = Path(__file__).parents[1] / "recordings" / "projects"
ROCKY_LOCAL = forking.rocky_local().script
WRAPPER = """#!/bin/sh
printf '%s\\n' "$*" >> "{calls}"
exec "{engine}" "$@"
"""


def make_project(name: str, folder: Path) -> Path:
    """A copy of a recorded project with its source data; returns its rocky.toml."""
    target = folder / "project"
    shutil.copytree(PROJECTS / name, target)
    config = target / "rocky.toml"
    adapters = tomllib.loads(config.read_text())["adapter"]
    adapter = adapters if "type" in adapters else next(iter(adapters.values()))
    seeds = (target / "seed.sql", target / "data" / "seed.sql")
    fill(target / adapter["path"], "\n".join(seed.read_text() for seed in seeds if seed.exists()))
    return config


def recording_engine(folder: Path) -> tuple[Path, Path]:
    """An engine that is rocky-local and writes down its command lines; returns it and the file of the calls."""
    calls, binary = folder / "calls", folder / "engine"
    binary.write_text(WRAPPER.format(calls=calls, engine=ROCKY_LOCAL))
    binary.chmod(0o755)
    return binary, calls


def engine_runs(calls: Path) -> list[str]:
    """The `run` commands of a recording engine, without config and output flags."""
    lines = calls.read_text().splitlines() if calls.exists() else []
    runs = [line.partition(" run")[2].removesuffix(" -o json").strip() for line in lines if " run" in line]
    calls.unlink(missing_ok=True)
    return runs


def definitions(config: Path, binary: str | Path = "rocky-local", **attributes: object) -> dg.Definitions:
    """The definitions of a component that is made in Python."""
    return build_rocky_definitions(
        RockyComponent(config_path=str(config), binary_path=str(binary), **attributes)
    )
