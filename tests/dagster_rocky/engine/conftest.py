"""Stand-in engines: small scripts that behave in one way."""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_rocky.resource import RockyResource
from support.stand_in import MODES, PREAMBLE


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Each of the three run modes."""
    return str(request.param)


@pytest.fixture
def make_engine(tmp_path: Path) -> Callable[..., RockyResource]:
    """Makes an engine of the body of a Python script, on an empty project."""

    def make(body: str, **settings: object) -> RockyResource:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "rocky.toml").touch()
        script = tmp_path / "stand-in"
        script.write_text(f"#!{sys.executable} -SE\n{PREAMBLE}\n{textwrap.dedent(body)}")
        script.chmod(0o755)
        options: dict[str, object] = {"timeout_seconds": 20, "termination_grace_seconds": 1, **settings}
        return RockyResource(binary_path=str(script), config_path=str(folder / "rocky.toml"), **options)

    return make
