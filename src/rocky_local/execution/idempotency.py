"""Idempotency keys: who may run, and what becomes of the key afterwards (contract, 5.8)."""

from contextlib import nullcontext, suppress
from typing import Any

from rocky_local import clock
from rocky_local.args import Arguments
from rocky_local.errors import EngineError
from rocky_local.execution.context import LOG
from rocky_local.execution.options import key_from
from rocky_local.execution.result import RunResult
from rocky_local.output import Answer
from rocky_local.state import StateStore, open_for_writing

_CLAIM_NS = 24 * 60 * 60 * 1_000_000_000


def claim(args: Arguments, run_id: str, started_ns: int) -> Answer | None:
    """Take the key of a run; return the answer of a skip when another run has it."""
    key = key_from(args)
    if not key:
        return None
    with open_for_writing(args.state_file, " for idempotency claim") as store:
        prior = store.fact("claim", key)
        if prior is None or clock.now_ns() - prior["at_ns"] > _CLAIM_NS:
            store.set_fact("claim", key, _held_by(run_id, "in_flight"))
            told = {"idempotency_key": key, "run_id": run_id, "backend": "local"}
            LOG.info("idempotency key claimed — proceeding", **told)
            return None
    done = prior["state"] == "succeeded"
    if not args.json:
        status = "skipped_idempotent" if done else "skipped_in_flight"
        told = {"idempotency_key": key, "prior_run_id": prior["run_id"], "status": status}
        LOG.info("idempotency key already claimed — skipping run", **told)
    result = RunResult("replication", started_ns)
    result.forced_status = "SkippedIdempotent" if done else "SkippedInFlight"
    result.skipped_by_run_id, result.idempotency_key = prior["run_id"], key
    result.concurrency, result.with_cost = 0, False
    return Answer(result.as_json(), "")


def _held_by(run_id: str, state: str) -> dict[str, Any]:
    return {"run_id": run_id, "state": state, "at_ns": clock.now_ns()}


def settle(args: Arguments, run_id: str, *, succeeded: bool, store: StateStore | None = None) -> None:
    """Keep the key of a run that succeeded, let go of any other, unless somebody else holds it by now."""
    key = key_from(args)
    if not key:
        return
    with suppress(EngineError), nullcontext(store) if store else open_for_writing(args.state_file) as held:
        prior = held.fact("claim", key)
        if prior is None or prior["run_id"] != run_id:
            return
        if succeeded:
            held.set_fact("claim", key, _held_by(run_id, "succeeded"))
        else:
            held.drop_fact("claim", key)
