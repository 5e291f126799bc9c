"""A project whose models are not in `models` is compiled where they are, at refresh and in a step."""

import json
import sys
from pathlib import Path

import pytest

from dagster_rocky import RockyResource
from dagster_rocky.project.refresh import refresh
from support.recorded import ENGINE, RECORDINGS, copy_project

BREWERY = RECORDINGS / "brewery"


@pytest.fixture
def moved(tmp_path: Path) -> RockyResource:
    """The brewery with its models in `transforms`, and an engine that compiles as the real one was recorded to."""
    folder = copy_project("brewery", tmp_path / "brewery")
    (folder / "models").rename(folder / "transforms")
    config = folder / "rocky.toml"
    config.write_text(config.read_text().replace('"models/**"', '"transforms/**"'))
    script = tmp_path / "engine"
    script.write_text(
        f"#!{sys.executable} -SE\nimport os, sys\n"
        "if 'compile' in sys.argv:\n"
        f"    open({str(tmp_path / 'calls')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"    case = 'moved_compile' + ('_models_flag' if 'transforms' in sys.argv else '')\n"
        f"    folder = os.path.join({str(BREWERY)!r}, case)\n"
        "    for name, stream in (('stdout', sys.stdout), ('stderr', sys.stderr)):\n"
        "        stream.write(open(os.path.join(folder, name)).read())\n"
        "    sys.exit(int(open(os.path.join(folder, 'exit_code')).read()))\n"
        f"os.execv({str(ENGINE)!r}, [{str(ENGINE)!r}, *sys.argv[1:]])\n"
    )
    script.chmod(0o755)
    return RockyResource(binary_path=str(script), config_path=str(config))


def test_a_refresh_compiles_the_pipelines_own_folder(moved, tmp_path):
    snapshot = refresh(moved)
    assert snapshot.problems == []
    assert {model.name: model.path for model in snapshot.models} == {
        "stock": "transforms/stock.sql",
        "pairs": "transforms/pairs.sql",
    }
    assert "transforms" in snapshot.watched
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert "compile --models transforms" in call


def test_a_step_compiles_the_pipelines_own_folder(moved):
    recorded = json.loads((BREWERY / "moved_compile_models_flag" / "stdout").read_text())
    assert {detail.name for detail in moved.compile().models_detail} == {
        detail["name"] for detail in recorded["models_detail"]
    }


def test_several_folders_are_compiled_one_after_the_other_and_put_together(moved, tmp_path):
    config = Path(moved.config_path)
    config.write_text(
        f'{config.read_text()}\n[pipelines.more]\ntype = "transformation"\nmodels = "transforms_more/**"\n'
    )
    (config.parent / "transforms_more").mkdir()
    whole = moved.compile()
    (config.parent / "transforms_more" / "x.sql").write_text("SELECT 1 AS x")
    script = Path(moved.binary_path)
    script.write_text(script.read_text().replace("'transforms' in sys.argv", "'--models' in sys.argv"))
    twice = moved.compile()
    assert twice.models == 2 * whole.models
    assert len(twice.models_detail) == 2 * len(whole.models_detail)
    folders = [
        line.split("--models ")[1].split()[0] for line in (tmp_path / "calls").read_text().splitlines()
    ]
    assert folders == ["transforms", "transforms", "transforms_more"]
