"""Stand-in engines: small scripts that behave in one way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_rocky.resource import RockyResource
from support.stand_in import MODES, write_engine


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Each of the three run modes."""
    return str(request.param)


@pytest.fixture
def make_engine(tmp_path: Path) -> Callable[..., RockyResource]:
    """Makes an engine of the body of a Python script, on an empty project."""
    return lambda body, **settings: write_engine(tmp_path, body, **settings)
