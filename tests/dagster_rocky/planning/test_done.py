"""A run that goes on with others asks for what is missing, and only for that."""

import uuid

import dagster as dg
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_rocky.planning.done import built_earlier
from support.examples import examples

NAMES = ("a", "b", "c")
FRESH: dict[str, str] = {}
RESUMED = {"dagster/is_resume_retry": "true"}
RETRIED = {"dagster/retry_number": "1"}
RETRIED_WHOLE = {"dagster/retry_number": "1", "dagster/retry_strategy": "ALL_STEPS"}


class Tries:
    """Runs of one step on one instance; each run notes what it found done and builds what it is told to."""

    def __init__(self) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.found: dict[tuple[str, str | None], str] = {}

    def run(self, builds, *, parent=None, root=None, tags=FRESH, fails=(), scope="missing") -> str:
        def body(context: dg.AssetExecutionContext):
            done = built_earlier(context, scope)
            self.found = {(key.to_user_string(), part): by.run_id for (key, part), by in done.items()}
            for name in builds:
                yield dg.MaterializeResult(asset_key=name)
                if name in NAMES:
                    failed = name in fails
                    yield dg.AssetCheckResult(asset_key=name, check_name="good", passed=not failed)
            if set(builds) != set(NAMES):
                raise dg.Failure("some are missing")

        asset = dg.multi_asset(
            name="step",
            specs=[dg.AssetSpec(name, skippable=True) for name in NAMES],
            check_specs=[dg.AssetCheckSpec("good", asset=name, blocking=True) for name in NAMES],
            can_subset=True,
        )(body)
        links = {"dagster/parent_run_id": parent, "dagster/root_run_id": root or parent} if parent else {}
        job = dg.Definitions(assets=[asset]).resolve_implicit_global_asset_job_def()
        run_id = str(uuid.uuid4())
        job.execute_in_process(
            instance=self.instance, raise_on_error=False, tags={**tags, **links}, run_id=run_id
        )
        return run_id


def test_from_failure_and_run_retries_go_on_where_their_parent_stopped():
    tries = Tries()
    root = tries.run(["a"])
    assert tries.found == {}
    for tags in (RESUMED, RETRIED):
        tries.run([], parent=root, tags=tags)
        assert tries.found == {("a", None): root}


def test_re_executing_all_starts_anew_and_is_what_later_tries_go_on_with():
    tries = Tries()
    root = tries.run(["a"])
    for tags in (FRESH, RETRIED_WHOLE):
        anew = tries.run(["b"], parent=root, tags=tags)
        assert tries.found == {}
        tries.run([], parent=anew, root=root, tags=RESUMED)
        assert tries.found == {("b", None): anew}


def test_the_scope_all_asks_for_everything():
    tries = Tries()
    root = tries.run(["a"])
    tries.run([], parent=root, tags=RESUMED, scope="all")
    assert tries.found == {}


def test_what_a_blocking_check_found_wrong_is_built_again():
    tries = Tries()
    root = tries.run(["a", "b"], fails=["a"])
    second = tries.run(["a"], parent=root, tags=RESUMED)
    assert tries.found == {("b", None): root}
    tries.run([], parent=second, root=root, tags=RESUMED)
    assert tries.found == {("a", None): second, ("b", None): root}


@settings(max_examples=examples(6))
@given(
    st.lists(st.tuples(st.sets(st.sampled_from(NAMES), max_size=2), st.booleans()), min_size=1, max_size=4)
)
def test_nothing_done_is_asked_twice_and_nothing_missing_is_left_out(rounds):
    tries = Tries()
    root = parent = tries.run(sorted(rounds[0][0]))
    done = dict.fromkeys(rounds[0][0], root)
    for builds, goes_on in rounds[1:]:
        parent = tries.run(sorted(builds), parent=parent, root=root, tags=RESUMED if goes_on else FRESH)
        done = done if goes_on else {}
        assert tries.found == {(name, None): run_id for name, run_id in done.items()}
        done |= dict.fromkeys(builds, parent)
