"""`rocky run --dag`: every step of the project, layer by layer; each step is a run of its own."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rocky_local import clock, output, tracing
from rocky_local.config import Config, load_config
from rocky_local.errors import EngineError
from rocky_local.graph import Graph, Node, build_graph
from rocky_local.options import RunOptions
from rocky_local.runner import Finished
from rocky_local.runner import run as run_once
from rocky_local.signals import Shutdown

if TYPE_CHECKING:
    from rocky_local.args import Arguments

_DAG = "rocky_cli::commands::run_dag_exec"
_EXECUTOR = "rocky_core::dag_executor"


@dataclass
class Dag:
    """A run of the graph while it goes on.

    Attributes:
        options: What every step is run with; filters, pipeline and key of the command line do not reach it.
    """

    graph: Graph
    config: Config
    options: RunOptions
    shutdown: Shutdown
    as_json: bool

    def run(self) -> list[dict[str, Any]]:
        """Run layer after layer and return an entry for each step."""
        nodes = {node.id: node for node in self.graph.nodes}
        entries: list[dict[str, Any]] = []
        failed: set[str] = set()
        for number, layer in enumerate(self.graph.layers()):
            tracing.info(_EXECUTOR, "executing DAG layer", layer=number, nodes=len(layer))
            begun = clock.now_ns()
            for name in layer:
                if self.shutdown.requested:
                    return entries
                entry = self._step(nodes[name], number, begun, failed)
                entries.append(entry)
        return entries

    def _step(self, node: Node, layer: int, begun: int, failed: set[str]) -> dict[str, Any]:
        entry: dict[str, Any] = {"id": node.id, "kind": node.kind, "label": node.label, "layer": layer}
        if failed.intersection(self.graph.upstream(node.id)):
            failed.add(node.id)
            tracing.warn(_EXECUTOR, "skipping node — upstream failure", node=tracing.Display(node.id))
            return {**entry, "status": "skipped", "duration_ms": 0, "error": "upstream failure"}
        if node.kind == "test":
            return {**entry, "status": "skipped", "duration_ms": 0}
        fields = {"rocky.model.fqn": tracing.Display(node.id), "rocky.model.kind": tracing.Display(node.kind)}
        with tracing.span("materialize.table", **fields):
            error = self._execute(node)
            elapsed = (clock.now_ns() - begun) // 1_000_000
            if error is None:
                return {**entry, "status": "completed", "duration_ms": elapsed}
            failed.add(node.id)
            shown = {"node": tracing.Display(node.id), "error": tracing.Display(error)}
            tracing.warn(_EXECUTOR, "node failed", **shown)
        return {**entry, "status": "failed", "duration_ms": elapsed, "error": error}

    def _execute(self, node: Node) -> str | None:
        """Do what a step stands for and return why it failed, or None."""
        if node.kind == "source":
            tracing.info(_DAG, "DAG: source marker (no-op)", label=tracing.Display(node.label))
            return None
        run_id = clock.run_id(clock.now_ns())
        options = replace(self.options, run_id=run_id, pipeline=node.pipeline)
        if node.kind == "transformation":
            options = replace(options, model=node.name)
        try:
            if node.kind == "seed":
                return self._seed(node)
            finished = run_once(options, self.shutdown)
        except EngineError as error:
            return error.chain()
        self._tell(node, finished)
        return _failure(finished, run_id)

    def _seed(self, node: Node) -> str | None:
        from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415
        from rocky_local.commands.seed import load_seeds  # noqa: PLC0415
        from rocky_local.seeds import read_seeds  # noqa: PLC0415

        name = next(iter(self.config.adapters), "default")
        directory = str(self.config.directory / "seeds")
        seeds = [seed for seed in read_seeds(directory) if seed.name == node.name]
        adapter = DuckDBAdapter(self.config.duckdb_path(name), name)
        try:
            found = load_seeds(adapter, directory, seeds)
        finally:
            adapter.close()
        return next((entry["error"] for entry in found["tables"] if "error" in entry), None)

    def _tell(self, node: Node, finished: Finished) -> None:
        """Write the lines for people that come between the log lines; those of a load go to stdout."""
        if node.kind == "transformation":
            return
        kind = self.config.pipelines[node.pipeline].type if node.pipeline else ""
        if kind == "load" or not self.as_json:
            output.print_text(finished.text)
        elif kind in ("replication", "quality", "snapshot"):
            tracing.plain(finished.text)


def run(args: Arguments) -> int:
    """Run the whole graph and print how each step ended; 1 when one of them failed."""
    config = load_config(args.config)
    given = RunOptions.from_args(args)
    graph = build_graph(config, models_dir=given.models_dir)
    options = RunOptions(
        config=given.config,
        state_file=given.state_file,
        models_dir=given.models_dir,
        partition=given.partition,
        variables=given.variables,
        shadow=given.shadow,
    )
    tracing.info(_DAG, "executing unified DAG", nodes=len(graph.nodes), edges=len(graph.edges))
    started = clock.now_ns()
    dag = Dag(graph, config, options, Shutdown(), args.json)
    entries = _run_stoppable(dag)
    result = _result(graph, entries, (clock.now_ns() - started) // 1_000_000)
    if args.json:
        output.print_json(result)
    else:
        counts = ", ".join(f"{result[name]} {name}" for name in ("completed", "failed", "skipped"))
        size = f"{result['total_nodes']} nodes across {result['total_layers']} layers"
        output.print_text(f"DAG run: {size} ({counts}) in {result['duration_ms']}ms")
    if result["failed"]:
        raise EngineError(f"DAG execution had {result['failed']} failed node(s)")
    return 0


def _run_stoppable(dag: Dag) -> list[dict[str, Any]]:
    """Run in a thread, so that a signal is answered at once while a statement still runs.

    Raises:
        EngineError: SIGTERM or SIGINT came; the statement that ran then was finished.
    """
    entries: list[dict[str, Any]] = []
    problems: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            entries.extend(dag.run())
        except BaseException as error:
            problems.append(error)
        finally:
            done.set()

    def stop(_number: int, _frame: Any) -> None:
        if not dag.shutdown.requested:
            dag.shutdown.request()
            tracing.warn("rocky", "received shutdown signal, aborting DAG run")
            tracing.silence()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    worker = threading.Thread(target=work, name="dag")
    worker.start()
    done.wait()
    worker.join()
    for number, handler in previous.items():
        signal.signal(number, handler)
    if dag.shutdown.requested:
        raise EngineError("interrupted by shutdown signal")
    if problems:
        raise problems[0]
    return entries


def _failure(finished: Finished, run_id: str) -> str | None:
    if finished.exit_code == 0:
        return None
    if finished.closing:
        return finished.closing.removeprefix("Error: ")
    count = finished.result.get("tables_failed", 0)
    if finished.result.get("tables_copied"):
        return (
            f"{count} table(s) failed during parallel execution "
            f"(run_id: {run_id}, use --resume {run_id} to retry)"
        )
    if finished.result.get("command") == "load":
        return f"{finished.result['files_failed']} file(s) failed to load"
    return f"{count} model(s) failed (run_id: {run_id}, see the `errors` array in the JSON output)"


def _result(graph: Graph, entries: list[dict[str, Any]], duration_ms: int) -> dict[str, Any]:
    statuses = [entry["status"] for entry in entries]
    return {
        **output.head("run --dag"),
        "total_nodes": len(graph.nodes),
        "total_layers": len(graph.layers()),
        "completed": statuses.count("completed"),
        "failed": statuses.count("failed"),
        "skipped": statuses.count("skipped"),
        "duration_ms": duration_ms,
        "nodes": entries,
    }
