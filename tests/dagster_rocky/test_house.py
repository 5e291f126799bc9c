"""The order of the rooms: who may know whom, and where Dagster's private parts and its events are touched.

`ROOMS` is the list that `docs/draw_rooms.py` draws.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.scripts import load_script

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src" / "dagster_rocky"
MODULES = sorted(SOURCE.rglob("*.py"))
HOUSE = load_script("docs/draw_rooms.py")
ROOMS = HOUSE.ROOMS
ORDER = [room.name for room in ROOMS]


EVENT_CLASSES = {
    "MaterializeResult",
    "AssetMaterialization",
    "AssetObservation",
    "AssetCheckResult",
    "AssetCheckEvaluation",
}


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room_of(dotted: str) -> str:
    """The room of a module below `dagster_rocky`: the longest name in the list that leads to it."""
    fitting = [room for room in ORDER if dotted == room or dotted.startswith(f"{room}.")]
    assert fitting, f"{dotted} is in no room: say in docs/draw_rooms.py where it belongs"
    return max(fitting, key=len)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Every module that a module imports, anywhere in it and for type checking too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found = [f"{node.module}.{alias.name}" for alias in node.names]
            is_module = [(SOURCE.parent / Path(*name.split("."))) for name in found]
            for name, place in zip(found, is_module, strict=True):
                yield name if place.is_dir() or place.with_suffix(".py").exists() else str(node.module)


def ours(path: Path) -> Iterator[str]:
    """The modules of this package that a module imports, without the package's name."""
    for name in imported(path):
        if name.startswith("dagster_rocky."):
            yield name.removeprefix("dagster_rocky.")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def upward() -> set[tuple[str, str]]:
    """Imports of a later room, as (importing module, imported module)."""
    found = set()
    for path in MODULES:
        if path == SOURCE / "__init__.py":
            continue
        here = ORDER.index(room_of(dotted(path)))
        found |= {(dotted(path), name) for name in ours(path) if ORDER.index(room_of(name)) > here}
    return found


def private() -> set[str]:
    """Imports of what Dagster does not promise to keep, outside the room for them."""
    found = set()
    for path in MODULES:
        for name in imported(path):
            package, *rest = name.split(".")
            hidden = package in ("dagster", "dagster_pipes") and any(part.startswith("_") for part in rest)
            if path.parent != SOURCE / "_dagster" and (
                hidden or package in ("dagster_shared", "dagster_dg_core")
            ):
                found.add(f"{name_of(path)}: {name}")
    return found


def events_made() -> set[str]:
    """Calls of Dagster's event classes outside the one module that makes them."""
    found = set()
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if called in EVENT_CLASSES and path != SOURCE / "step" / "events.py":
                    found.add(f"{name_of(path)}: {called}")
    return found


def test_no_room_imports_a_later_one():
    assert upward() == set()


def test_private_parts_of_dagster_are_touched_in_one_place():
    assert private() == set()


def test_one_module_makes_events():
    assert events_made() == set()


def missing() -> set[str]:
    places = {room: SOURCE / Path(*room.split(".")) for room in ORDER}
    return {
        room for room, place in places.items() if not (place.is_dir() or place.with_suffix(".py").exists())
    }


def large() -> set[str]:
    return {name_of(path) for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > 400}


def test_every_room_is_there():
    assert missing() == set()


def test_no_module_is_larger_than_one_idea():
    assert large() == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for(path):
    said = ast.get_docstring(tree(path))
    assert said
    assert said.splitlines()[0].strip()


def test_a_forbidden_import_would_be_seen(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dagster_rocky.step import events\n"
    )
    assert "dagster_rocky.step.events" in set(imported(module))
    assert room_of("step.events") == "step"
    assert ORDER.index("engine") < ORDER.index("step")


def test_the_picture_is_the_list():
    assert (REPOSITORY / "docs" / "rooms.svg").read_text(encoding="utf-8") == HOUSE.draw()


def test_the_component_is_thin():
    assert len((SOURCE / "component.py").read_text(encoding="utf-8").splitlines()) <= 350


def test_the_documents_say_where_each_room_is():
    page = (REPOSITORY / "docs" / "how_it_works.md").read_text(encoding="utf-8")
    top = {room.partition(".")[0] for room in ORDER}
    assert {room for room in top if f"`{room}/`" not in page and f"`{room}.py`" not in page} == set()


def test_the_documents_say_where_each_part_of_the_embedded_engine_is():
    page = (REPOSITORY / "docs" / "how_it_works.md").read_text(encoding="utf-8")
    section = page.partition("## Where rocky-local does what")[2]
    named = set(re.findall(r"`([a-z_/]+\.py)`", section))
    engine = REPOSITORY / "src" / "rocky_local"
    assert named, section
    assert {name for name in named if not any(engine.rglob(name))} == set()


@pytest.mark.xdist_group("kept together")
def test_tests_of_one_group_are_kept_together(request: pytest.FixtureRequest):
    """pytest-xdist tells groups by a suffix of a test's id, which pytest 9.2 no longer lets it set: nothing is said."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("one process runs all tests")
    assert request.node.nodeid.endswith("@kept together"), "take a pytest below 9.2"
