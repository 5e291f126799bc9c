"""What a contract promises, in words that a person reads at its check."""

import pytest

from dagster_rocky.project.contract_words import promise_of


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        ({}, None),
        ({"rules": {"required": ["day"]}}, "day is there"),
        ({"rules": {"required": ["day", "n"], "protected": ["n"]}}, "day, n are there; n stays"),
        ({"columns": [{"name": "n", "type": "BIGINT", "nullable": False}]}, "n is never null; n is BIGINT"),
        ({"columns": [{"name": "n", "nullable": True}]}, None),
        ({"rules": "wrong", "columns": {"name": "n"}}, None),
        ({"rules": {"required": "day"}, "columns": [3, {"type": "INT"}]}, None),
    ],
)
def test_a_contract_in_words(contract: dict, words: str | None):
    assert promise_of(contract) == words


def test_a_long_contract_is_cut_at_a_word():
    text = promise_of({"rules": {"required": [f"column_{number}" for number in range(200)]}})
    assert text is not None
    assert text.endswith(" …")
    assert len(text) < 410


def test_the_check_of_a_model_says_it(load):
    graph = load("broken/contract_in_models").graph
    (key,) = graph.asset_check_keys
    assert key.to_user_string() == "atlas/drawn/heights:contract"
    description = graph.get_check_spec(key).description
    assert description.startswith("The model keeps its contract: ")
    assert "there" in description
