"""A run as Dagster's run worker executes it, in a process of its own, so that a test can cancel or kill it.

Arguments: the binary, the config, the mode, the grace in seconds.
"""

import sys

import dagster as dg
from dagster._utils.interrupts import capture_interrupts

from dagster_rocky.resource import RockyResource
from support import migrations
from support.stand_in import run_step, table_asset

migrations.read_now()


def main() -> None:
    binary, config, mode, grace = sys.argv[1:]
    resource = RockyResource(
        binary_path=binary, config_path=config, timeout_seconds=60, termination_grace_seconds=float(grace)
    )
    with capture_interrupts():
        run_step(resource, mode, [table_asset(n) for n in "abc"], instance=dg.DagsterInstance.get())


if __name__ == "__main__":
    main()
