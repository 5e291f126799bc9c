"""Where does a branch deployment write, and can two of them meet?"""

import re

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_rocky.deployment.branch import IS_BRANCH, NAME, PULL_REQUEST, branch_suffix, shadowed
from dagster_rocky.engine.options import RunOptions


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_elsewhere_nothing_is_shadowed(value: str) -> None:
    assert branch_suffix({IS_BRANCH: value, NAME: "prod"}) is None
    assert branch_suffix({}) is None


def test_a_pull_request_is_named_by_its_number() -> None:
    suffix = branch_suffix({IS_BRANCH: "1", NAME: "7c0f2a9d", PULL_REQUEST: "57"})
    assert suffix is not None
    assert suffix.startswith("__pr57_")


def test_a_branch_that_nothing_names_is_refused() -> None:
    with pytest.raises(dg.Failure) as caught:
        branch_suffix({IS_BRANCH: "1"})
    assert "could write to production" in (caught.value.description or "")
    assert caught.value.allow_retries is False


@given(st.lists(st.text(max_size=60).filter(str.strip), min_size=2, max_size=2, unique_by=str.strip))
def test_any_two_names_have_two_suffixes_that_are_names(names: list[str]) -> None:
    first, second = (branch_suffix({IS_BRANCH: "1", NAME: name}) for name in names)
    assert first != second
    for suffix in (first, second):
        assert re.fullmatch(r"[a-z0-9_]{1,26}", suffix or "")


@pytest.mark.parametrize(
    ("shadow", "environment", "suffix"),
    [
        ("off", {IS_BRANCH: "1", NAME: "x"}, None),
        ("branch_deployment", {}, None),
        ("__try", {}, "__try"),
    ],
)
def test_the_yaml_says_what_is_shadowed(shadow: str, environment: dict[str, str], suffix: str | None) -> None:
    assert shadowed(RunOptions(), shadow, environment).shadow_suffix == suffix
