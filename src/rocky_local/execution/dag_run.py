"""`rocky run --dag`: every step of the project, layer by layer; each step is a run of its own (contract, 5.7)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

from rocky_local import clock, tracing
from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution import runner
from rocky_local.execution.loading import load_seeds, resolve
from rocky_local.output import Answer, Entry
from rocky_local.project.config import Config, load_config
from rocky_local.project.graph import Graph, Node, build_graph
from rocky_local.project.sidecar import read_seeds
from rocky_local.signals import ANSWERING_SECONDS, Shutdown, watch

_DAG = tracing.Log("rocky_cli::commands::run_dag_exec")
_EXECUTOR = tracing.Log("rocky_core::dag_executor")
_STATUSES = ("completed", "failed", "skipped")


class _NodeRun(Entry):
    id: str
    kind: str
    label: str
    layer: int
    status: str = "skipped"
    duration_ms: int = 0
    error: str | None = None


def run_dag(args: Arguments) -> Answer:
    """Run the whole graph; filter, pipeline and key of the command line do not reach the steps."""
    config = load_config(args.config)
    graph = build_graph(config, models_dir=args.get("models"))
    _DAG.info("executing unified DAG", nodes=len(graph.nodes), edges=len(graph.edges))
    started = clock.now_ns()
    entries = _run_stoppable(_Steps(graph, config, args, Shutdown()))
    statuses = [entry.status for entry in entries]
    counts = {status: statuses.count(status) for status in _STATUSES}
    size = {"total_nodes": len(graph.nodes), "total_layers": len(graph.layers())}
    elapsed = clock.since_ms(started)
    result = {**size, **counts, "duration_ms": elapsed, "nodes": entries}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    text = f"DAG run: {len(graph.nodes)} nodes across {len(graph.layers())} layers ({told}) in {elapsed}ms"
    problem = f"DAG execution had {counts['failed']} failed node(s)"
    return Answer("run --dag", result, text).unless(counts["failed"], problem)


class _Steps(NamedTuple):
    """A run of the graph while it goes on."""

    graph: Graph
    config: Config
    args: Arguments
    shutdown: Shutdown

    def run(self) -> Iterator[_NodeRun]:
        nodes = {node.id: node for node in self.graph.nodes}
        failed: set[str] = set()
        for number, layer in enumerate(self.graph.layers()):
            _EXECUTOR.info("executing DAG layer", layer=number, nodes=len(layer))
            begun = clock.now_ns()
            for name in layer:
                if self.shutdown.is_set():
                    return
                node = nodes[name]
                entry = _NodeRun(name, node.kind, node.label, number)
                if failed.intersection(self.graph.upstream(name)):
                    _EXECUTOR.warn("skipping node — upstream failure", node=name)
                    entry.error = "upstream failure"
                elif node.kind != "test":
                    self._step(node, entry, begun)
                if entry.error is not None:
                    failed.add(name)
                yield entry

    def _step(self, node: Node, entry: _NodeRun, begun: int) -> None:
        with tracing.span("materialize.table", **{"rocky.model.fqn": node.id, "rocky.model.kind": node.kind}):
            entry.error = self._execute(node)
            entry.status = "completed" if entry.error is None else "failed"
            entry.duration_ms = clock.since_ms(begun)
            if entry.error is not None:
                _EXECUTOR.warn("node failed", node=node.id, error=entry.error)

    def _execute(self, node: Node) -> str | None:
        """Do what a step stands for and return why it failed, or None."""
        if node.kind == "source":
            _DAG.info("DAG: source marker (no-op)", label=node.label)
            return None
        model = node.label if node.kind == "transformation" else None
        models = self.args.get("models") if model else None
        args = self.args.changed(pipeline=node.pipeline, model=model, models=models, run_id=None)
        args = args.changed(filter=None, all=None, resume=None, resume_latest=None)
        try:
            if node.kind == "seed":
                directory = str(Path(self.config.path).with_name("seeds"))
                seeds = [seed for seed in read_seeds(directory) if seed.name == node.label]
                with self.config.open(resolve(self.config, None, "seed").adapter) as adapter:
                    found = load_seeds(adapter, directory, seeds)
                return next((table.error for table in found.result["tables"]), None)
            answer = runner.run(args, self.shutdown)
        except EngineError as error:
            return error.chain()
        if not self.shutdown.is_set():
            self._tell(node, answer)
        return answer.failure if answer.code else None

    def _tell(self, node: Node, answer: Answer) -> None:
        """Write the lines for people that come between the log lines; those of a load go to stdout."""
        if node.kind == "transformation" or node.pipeline is None:
            return
        if self.config.pipeline[node.pipeline].type == "load" or not self.args.json:
            tracing.write_whole(1, f"{answer.text}\n")
        else:
            tracing.plain(answer.text or "")


def _run_stoppable(steps: _Steps) -> list[_NodeRun]:
    """Run in a thread, so that a signal is answered at once while a statement still runs."""

    def tell() -> None:
        tracing.Log("rocky").warn("received shutdown signal, aborting DAG run")
        tracing.silence()

    watch(steps.shutdown, tell)
    with ThreadPoolExecutor(1, "dag") as pool:
        running = pool.submit(lambda: [*steps.run()])
        while not running.done():
            wait([running], ANSWERING_SECONDS)
    if steps.shutdown.is_set():
        raise EngineError("interrupted by shutdown signal")
    return running.result()
