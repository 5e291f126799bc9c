"""Jobs that Dagster can make anew by name, as its own launchers and re-executions need them."""

import dagster as dg

from support.recorded import Loaded

LOADED: dict[str, Loaded] = {}
"""Loaded projects by the name that their job is asked for with."""


def job_of(name: str) -> dg.JobDefinition:
    """A job over everything that a loaded project builds, with an asset after all of it."""
    defs = LOADED[name].defs

    @dg.asset(deps=list(defs.resolve_asset_graph().get_all_asset_keys()))
    def downstream() -> None:
        """Runs when everything before it is there."""

    job = dg.define_asset_job("everything", executor_def=dg.in_process_executor)
    return dg.Definitions.merge(defs, dg.Definitions(assets=[downstream], jobs=[job])).resolve_job_def(
        "everything"
    )


def reconstructable(loaded: Loaded) -> dg.JobDefinition:
    """The job over a loaded project, for `dagster.execute_job`."""
    name = str(loaded.folder)
    LOADED[name] = loaded
    return dg.build_reconstructable_job("support.reconstructed", "job_of", (name,))
