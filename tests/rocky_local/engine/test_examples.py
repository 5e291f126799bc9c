from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import rocky_local

MODULES = [module.name for module in pkgutil.walk_packages(rocky_local.__path__, "rocky_local.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_are_true(name: str) -> None:
    failed, _ = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [test for name in MODULES for test in finder.find(import_module(name)) if test.examples]
    assert len(examples) >= 15
