"""What does an idempotency key stand for in one step, and does it change where it has to?"""

from collections.abc import Mapping, Sequence

import dagster as dg

from dagster_rocky.engine import idempotency
from dagster_rocky.graph.edges import RockyGraph
from dagster_rocky.yaml.mistakes import Mistake

_SHOWN = 5


def key_parts(
    context: dg.OpExecutionContext, keys: Sequence[dg.AssetKey], partitions: Sequence[str] = ()
) -> Mapping[str, str]:
    """What the placeholders of a key stand for.

    Args:
        context: The step's.
        keys: The selected assets of the step.
        partitions: Their selected partitions.
    """
    return {
        "run_id": context.run_id,
        "root_run_id": context.run.root_run_id
        or context.run.tags.get("dagster/root_run_id")
        or context.run_id,
        "partition": idempotency.of_many(partitions),
        "selection": idempotency.of_many([key.to_user_string() for key in keys]),
    }


def require_new_keys(graph: RockyGraph, template: str | None) -> None:
    """Refuses a key under which assets would be built once and never again.

    Args:
        graph: The component's.
        template: The key, if there is one.

    Raises:
        Mistake: With the assets.
    """
    if template is None or idempotency.placeholders(template) & idempotency.NEW_WITH_EACH_LAUNCH:
        return
    whole = [key.to_user_string() for key, node in graph.nodes.items() if node.spec.partitions_def is None]
    if whole:
        more = f" and {len(whole) - _SHOWN} more" if len(whole) > _SHOWN else ""
        raise Mistake(
            ("run", "idempotency_key"),
            f"{template!r} is the same in every run of assets without partitions, so the engine would build them once "
            f"and skip them ever after: {', '.join(sorted(whole)[:_SHOWN])}{more}. Add {{run_id}} or {{root_run_id}}",
        )
