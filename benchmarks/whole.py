"""Measures everything, one part after the other, and writes the tables and the picture into docs/.

    python benchmarks/whole.py [SIZE ...]

With sizes of one's own, see `scale.py`, nothing is written: the picture has all of them. A limit that is missed stops
nothing; it is in the table, and the exit code says so at the end.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import report

HERE = Path(__file__).parent
PARTS = {"scale": 250, "execution": 80, "events": 160, "planning": 6, "rocky_local": 50}
"""What each part takes in seconds on two quiet cores, about; only what is shown as left is made of it."""


def main() -> int:
    """Prints everything; 0 when no limit is missed."""
    sizes = sys.argv[1:]
    began, load = time.time(), os.getloadavg()[0]
    took: dict[str, float] = {}
    missed = []
    for number, part in enumerate(PARTS, start=1):
        spent = time.time() - began
        pace = spent / sum(PARTS[done] for done in took) if took else 1
        left = pace * sum(seconds for name, seconds in PARTS.items() if name not in took)
        os.environ.update({report.BEGAN: str(began), report.EXPECTED: str(spent + left)})
        report.say(f"part {number} of {len(PARTS)}: {part}")
        given = sizes if part == "scale" and sizes else [] if sizes else ["--write"]
        used = processor_seconds()
        if not run([sys.executable, str(HERE / f"{part}.py"), *given]):
            missed.append(part)
        took[part] = time.time() - began - spent
        report.say(f"{part}: {took[part]:.0f} s, {processor_seconds() - used:.0f} s of processor time")
    total = time.time() - began
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in took.items())
    report.say(f"{total:.0f} s in all: {parts}; missed or failed: {', '.join(missed) or 'nothing'}")
    if not sizes:
        versions = [f"{name} {version(name.lower())}" for name in ("Dagster", "DuckDB")]
        report.replace(
            "machine",
            f"Measured on {datetime.now(UTC):%d %B %Y} in {total:.0f} s ({parts}), on {os.cpu_count()} cores that had "
            f"{load:.1f} processes to run before it began, with Python {platform.python_version()}, "
            f"{' and '.join(versions)}.",
        )
    return int(bool(missed))


def run(command: list[str]) -> bool:
    """Whether a part kept its limits; of its stderr, which has Dagster's logs, only the end of an error is shown."""
    with tempfile.TemporaryFile("w+") as stderr:
        good = subprocess.run(command, stderr=stderr, check=False).returncode == 0
        stderr.seek(0)
        text = stderr.read()
    if not good and "Traceback" in text:
        sys.stdout.write("\n".join(text.splitlines()[-15:]) + "\n")
    return good


def processor_seconds() -> float:
    """Of all that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
