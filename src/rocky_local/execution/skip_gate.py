"""Leaving out models that provably would come out the same (contract, 5.9)."""

import hashlib
import re

from rocky_local.errors import DatabaseError
from rocky_local.execution.context import LOG, RunContext
from rocky_local.execution.result import Decision
from rocky_local.hashing import sql_hash
from rocky_local.project.compiler import Compiled
from rocky_local.project.models import Model

_UNSTABLE = re.compile(
    r"\b(now|random|uuid|gen_random_uuid|current_timestamp|current_date|current_time|today|nextval)\b", re.I
)
_SKIPPED = "skip-unchanged: logic and upstream data both appear unchanged — skipping re-materialization (best-effort)"


class SkipGate:
    """Decides for each model whether to build it, and remembers what each build was made of.

    A prior build is found by the model's name but kept under its table's name, so a model whose table is called
    otherwise never has one; the real engine does the same.
    """

    def __init__(self, context: RunContext, compiled: Compiled) -> None:
        settings = context.config.run
        wanted = context.args.has("skip-unchanged") or settings.skip_unchanged
        self._active = wanted and not context.args.has("force-rebuild")
        self._counts_rows = settings.skip_rowcount_fallback
        self._context = context
        self._compiled = compiled
        self._rebuilt: set[str] = set()
        self._decisions: dict[str, Decision] = {}

    def skips(self, model: Model) -> bool:
        """Return whether a model is left out, and note why or why not."""
        if not self._active:
            return False
        obstacle = self._obstacle(model) or self._change(model)
        reason = obstacle or "logic and upstream data unchanged since last build"
        self._decisions[model.name] = Decision(model.name, "build" if obstacle else "skip", reason)
        if obstacle is None:
            LOG.info(_SKIPPED, model=model.name, reason="skipped_unchanged")
        return obstacle is None

    def built(self, model: Model) -> None:
        """Note that a model was built just now."""
        self._rebuilt.add(model.name)
        logic, inputs = (self._logic(model), self._inputs(model)) if self._active else ("", "")
        self._context.state.set_fact("build", model.place.table, [logic, inputs])
        if self._active and not model.depends_on:
            sources = hashlib.sha256(f"{model.sidecar.sources}\n{inputs}".encode())
            self._context.input_hashes[model.target] = sources.hexdigest()

    def report(self) -> None:
        """Put the decisions into the result: layer by layer, partitioned models last in each."""
        depth = {name: number for number, layer in enumerate(self._compiled.layers) for name in layer}
        kinds = {model.name: model.kind for model in self._compiled.order}
        names = sorted(self._decisions, key=lambda name: (depth[name], kinds[name] == "time_interval"))
        self._context.result.model_decisions += [self._decisions[name] for name in names]

    @staticmethod
    def _obstacle(model: Model) -> str | None:
        """Why a model is never left out, or None."""
        if model.kind == "time_interval":
            return "time_interval: built (not skip-eligible)"
        told = model.sidecar.skip
        steady = told.get("deterministic", not _UNSTABLE.search(model.sql))
        if told.get("eligible", True) and steady:
            return None
        return "not skip-eligible (non-deterministic, opt-out, or special strategy)"

    def _change(self, model: Model) -> str | None:
        """What may have changed since the last build, or None."""
        prior = self._context.state.fact("build", model.name)
        if prior is None:
            return "no prior successful build to compare against"
        logic, inputs = prior
        if logic != self._logic(model):
            return "model logic changed since last build" if logic else "no comparable logic key"
        same = inputs and inputs == self._inputs(model) and self._context.adapter.columns(model.target)
        if same and not self._rebuilt.intersection(model.depends_on):
            return None
        return "upstream data may have changed since last build"

    def _logic(self, model: Model) -> str:
        return sql_hash([model.kind, model.target, model.rendered(self._context.args.variables)])

    def _inputs(self, model: Model) -> str:
        """The row counts of what a model reads, or nothing when they prove nothing."""
        if not self._counts_rows:
            return ""
        tables = self._compiled.lineage[model.name].tables
        try:
            return ";".join(f"{table}={self._context.adapter.count(table)}" for table in tables)
        except DatabaseError:
            return ""
