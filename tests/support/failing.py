"""A job that fails, which Dagster can make anew by name."""

import dagster as dg


@dg.op
def fails() -> None:
    """Always."""
    raise dg.Failure("as it should")


def make_job() -> dg.JobDefinition:
    """One step that fails."""

    @dg.job(executor_def=dg.in_process_executor)
    def job() -> None:
        fails()

    return job
