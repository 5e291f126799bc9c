"""What of a plan cannot be written to shadow tables, and how does a materialization say that it is a shadow?"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import dagster as dg

from dagster_rocky.planning.plan import PlannedRun
from dagster_rocky.step.metadata import SHADOW, SHADOW_OF
from dagster_rocky.vocabulary import EngineAsset

_NEVER = {
    "seed": "the engine loads seed files into their real tables only",
    "load": "the engine loads files into their real tables only",
    "snapshot": "the history of a snapshot has no shadow",
    "quality": "a quality pipeline checks the real table, and may take rows out of it",
}
_TIME_INTERVAL = "the engine has no shadow of a model with time intervals"


def require_shadowable(runs: Sequence[PlannedRun], universe: Iterable[EngineAsset] = ()) -> None:
    """Refuses a plan of which the engine would write a part to the real tables, before anything of it runs.

    Args:
        runs: The planned engine runs of a step (contract, section 5.9).
        universe: Everything that the engine knows: a shadow must not have the name of a real table.

    Raises:
        dagster.Failure: With every asset that has no shadow, and why.
    """
    if all(run.request.options.shadow_suffix is None for run in runs):
        return
    real = {asset.target for asset in universe} - {None}
    reasons: dict[str, dict[str, None]] = {}
    for run in runs:
        suffix = run.request.options.shadow_suffix or ""
        for asset in (*run.assets, *run.extras):
            if reason := _why_not(asset, suffix, real):
                reasons.setdefault(reason, {})[asset.asset_key.to_user_string()] = None
    if reasons:
        listed = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        raise dg.Failure(
            description=(
                f"This run would write to shadow tables, and not all of it can: {listed}. Nothing was run. "
                "Leave these assets out of the selection."
            ),
            allow_retries=False,
        )


def shadow_metadata(asset: EngineAsset, suffix: str | None) -> Mapping[str, str]:
    """What a materialization says of the real table behind it; nothing when it is the real one.

    Args:
        asset: What was built.
        suffix: Of the run's shadow tables.
    """
    if suffix is None:
        return {}
    return {SHADOW: suffix, SHADOW_OF: asset.target or "/".join(asset.engine_key)}


def shadow_of(made: dg.AssetMaterialization) -> str | None:
    """The suffix of the shadow table that a materialization is of; `None` for the real one."""
    value = made.metadata.get(SHADOW)
    return str(value.value) if value is not None else None


def _why_not(asset: EngineAsset, suffix: str, real: Collection[str | None]) -> str | None:
    if asset.kind == "model" and asset.granularity is not None:
        return _TIME_INTERVAL
    if asset.target and f"{asset.target}{suffix}" in real:
        return f"with the suffix {suffix} it would be written over the real table {asset.target}{suffix}"
    return _NEVER.get(asset.kind)
