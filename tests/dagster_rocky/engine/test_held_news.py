"""Live news waits for the result that completes it, up to its window, however fast the machine is."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_rocky.engine.news.events import Built, Checked, Progress
from dagster_rocky.engine.news.held import HeldNews
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.resource import RockyResource
from support.stand_in import MODES, run_step, table_asset

Make = Callable[..., RockyResource]
A, B = table_asset("a"), table_asset("b")

REPORTS = """
    for name in "ab":
        hook(name, duration_ms=1200)
        pipes("report_asset_materialization", {"asset_key": "duckdb/x/" + name, "data_version": None,
              "metadata": {"duration_ms": 1200, "strategy": "full_refresh"}})
"""
TELLS = 'say(result([table(n, duration_ms=1200, cost_usd=0.5) for n in "ab"]))\n'
SLOW_TO_ITS_END = f"{REPORTS}\n    time.sleep(1)\n    {TELLS}"
SLOW_TO_EXIT = f"{REPORTS}\n    {TELLS}    time.sleep(1)\n"


@pytest.mark.parametrize("body", [SLOW_TO_ITS_END, SLOW_TO_EXIT], ids=["before-its-json", "before-its-exit"])
def test_a_short_run_is_told_complete_and_once_in_every_mode(make_engine: Make, body: str) -> None:
    runs = [run_step(make_engine(body), mode, [A, B]) for mode in MODES]

    for run in runs:
        assert run.success
        assert run.observed == []
        assert run.materialized == runs[0].materialized
        assert run.materialized["a"]["rocky/cost_usd"] == 0.5
        assert [line for line in run.logs if "[" in line] == [
            "rocky: [1/2] duckdb/x/a in 1.2 s",
            "rocky: [2/2] duckdb/x/b in 1.2 s",
        ]


@pytest.mark.parametrize("mode", MODES)
def test_a_long_run_tells_its_tables_live(make_engine: Make, mode: str) -> None:
    run = run_step(make_engine(SLOW_TO_ITS_END), mode, [A, B], options=RunOptions(live_after_seconds=0.1))

    assert run.success
    assert "rocky/cost_usd" not in run.materialized["a"]
    assert {name: facts["rocky/cost_usd"] for name, facts in run.observed} == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("mode", MODES)
def test_an_ended_run_gives_up_what_it_held(make_engine: Make, mode: str) -> None:
    engine = make_engine(f"{REPORTS}\n    time.sleep(60)\n", timeout_seconds=1)
    run = run_step(engine, mode, [A, B])

    assert not run.success
    assert set(run.materialized) == {"a", "b"}


@pytest.mark.parametrize("mode", MODES)
def test_iterating_tells_progress_and_the_end_the_rest(make_engine: Make, mode: str) -> None:
    import dagster as dg

    engine = make_engine(f"{REPORTS}\n    {TELLS}")
    with engine.invoke(RunRequest(), mode=mode, context=dg.build_op_context()) as invocation:
        live = list(invocation)
        rest = list(invocation.remaining_events())

    assert {type(event) for event in live} == {Progress}
    assert {type(event) for event in rest} == {Built}
    assert len(live) == len(rest) == (4 if mode == "pipes" else 2)


@given(st.floats(0, 10), st.lists(st.tuples(st.floats(0, 5), st.integers(0, 3)), max_size=20))
def test_nothing_is_told_early_late_twice_or_out_of_order(
    window: float, steps: list[tuple[float, int]]
) -> None:
    now, taken_at, told, announced = 0.0, [], [], []
    held = HeldNews(window, clock=lambda: now)
    for pause, count in steps:
        now += pause
        news = [
            Built(source="hook", name=str(len(taken_at) + n))
            if n % 2 == 0
            else Checked(
                source="pipes", name=str(len(taken_at) + n), check="c", passed=True, severity="error"
            )
            for n in range(count)
        ]
        announced += held.take(news)
        taken_at += [now] * count
        for event in held.due():
            assert now - taken_at[int(event.name)] >= window  # type: ignore[union-attr]
            told.append(event)
        assert all(now - at < window for at in taken_at[len(told) :])
    told += held.rest()

    assert [event.name for event in told] == [str(n) for n in range(len(taken_at))]  # type: ignore[union-attr]
    assert announced == [event.progress for event in told if isinstance(event, Built)]
