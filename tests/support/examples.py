"""How many made-up examples the tests that take long for each of them try."""

import os


def examples(usual: int) -> int:
    """The usual number, or as many times that as the variable `TEST_THOROUGHLY` says."""
    return usual * int(os.environ.get("TEST_THOROUGHLY", "1"))
