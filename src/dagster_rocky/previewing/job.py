"""How is a preview made from the UI? A job of one op, whose result is Markdown."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from dagster_rocky.graph.edges import Node
from dagster_rocky.graph.naming import op_name
from dagster_rocky.previewing.runs import Previewed, as_markdown, preview
from dagster_rocky.vocabulary import EngineAsset

PREVIEW = "rocky/preview"


class PreviewConfig(dg.Config):
    """What is previewed; the launchpad shows the fields with their descriptions.

    Example:
        ```python
        PreviewConfig(selection="group:landing", filters=["airport=jfk"]).statements  # False
        ```
    """

    selection: str = Field(default="*", description="Assets of the component, in Dagster's selection syntax.")
    partitions: list[str] = Field(
        default=[], description="Partitions, for assets that have some: their keys in Dagster."
    )
    filters: list[str] = Field(
        default=[],
        description="`key=value` as the engine takes them; of copied tables only those that fit one stay selected.",
    )
    statements: bool = Field(
        default=False,
        description="Ask the engine to plan each replication, and show the SQL that it announces.",
    )


def build_preview_job(component: Previewed, assets: Sequence[dg.AssetsDefinition]) -> dg.JobDefinition:
    """Makes a job that says what a selection would run, and runs none of it.

    Args:
        component: A component whose definitions are built.
        assets: Its definitions, over which a selection is read.

    Returns:
        The job; its op has the preview as `rocky/preview`, and as a line of its log how many engine runs it has.

    Example:
        ```python
        from dagster_rocky import RockyComponent, build_rocky_definitions

        component = RockyComponent(config_path="flights/rocky.toml", binary_path="rocky-local")
        defs = build_rocky_definitions(component)
        build_preview_job(component, defs.assets).name.endswith("_preview")  # True
        ```
    """
    name = op_name("rocky", component.label, "preview")

    @dg.op(
        name=f"{name}_op",
        out=dg.Out(dg.Nothing),
        description="Says which engine runs a selection would make, and why; runs none of them.",
    )
    def preview_op(context: dg.OpExecutionContext, config: PreviewConfig) -> dg.Output[None]:
        keys = _selected(component, assets, config)
        runs = list(preview(component, keys, config.partitions, statements=config.statements))
        context.log.info(f"rocky: {len(keys)} assets would take {len(runs)} engine runs; none was started")
        return dg.Output(None, metadata={PREVIEW: dg.MetadataValue.md(as_markdown(runs))})

    @dg.job(name=name, description="What a selection would run, without running it.")
    def preview_job() -> None:
        preview_op()

    return preview_job


def _selected(
    component: Previewed, assets: Sequence[dg.AssetsDefinition], config: PreviewConfig
) -> list[dg.AssetKey]:
    """The component's assets that are selected.

    Raises:
        dagster.Failure: When the selection cannot be read, a filter is none, or nothing is selected.
    """
    nodes = component.graph.nodes
    try:
        found = dg.AssetSelection.from_string(config.selection).resolve(assets)
    except (ValueError, dg.DagsterError) as error:
        raise _refused(
            f"selection: {config.selection!r} cannot be read: {str(error).splitlines()[0]}"
        ) from error
    for text in config.filters:
        if not all(text.partition("=")):
            raise _refused(f"filters: {text!r} is no `key=value`: write it like airport=jfk")
    keys = [key for key in nodes if key in found and _fits_any(nodes[key], config.filters)]
    if not keys:
        also = f" with {', '.join(config.filters)}" if config.filters else ""
        raise _refused(f"selection: {config.selection!r}{also} selects none of the component's assets")
    return keys


def _fits_any(node: Node, filters: Sequence[str]) -> bool:
    """Whether an asset stays selected; filters choose among copied tables only, as the engine's do."""
    tables = [asset for asset in node.assets if asset.kind == "table"]
    return not (filters and tables) or any(_fits(asset, text) for asset in tables for text in filters)


def _fits(asset: EngineAsset, text: str) -> bool:
    key, _, value = text.partition("=")
    facts = {**asset.components, "id": asset.source_id, "table": asset.name}
    found = facts.get(key)
    return value in found if isinstance(found, tuple) else value == found


def _refused(said: str) -> dg.Failure:
    return dg.Failure(description=f"{said}. Nothing was previewed.", allow_retries=False)
