"""The distribution has a name of its own, says so when another has written into its folder, and never pulls that."""

import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from dagster_rocky.installation import DISTRIBUTION, refuse_the_other

REPOSITORY = Path(__file__).resolve().parents[2]
PLACES = (
    "*.md", "*.toml", "*.txt", "Makefile", "docs/**/*.*", "src/**/*.py", "component_templates/**/*.*",
    "example_project/*.*", "example_project/**/*.yaml",
)  # fmt: skip
WRITTEN = {"", ".md", ".toml", ".txt", ".py", ".jinja", ".yaml", ".yml", ".sql"}
FOUND = {path for place in PLACES for path in REPOSITORY.glob(place)}
# `make demo` leaves folders in the example.
TEXTS = sorted(path for path in FOUND if path.suffix in WRITTEN and path.is_file())
INSTALLS = re.compile(
    r"(?:(?<!un)install|\badd|\bdownload|\bwheel|--with|\bsync|\buvx|\brun)\b[^`\n]*\bdagster[-_.]rocky(?![-_.\w])"
)


def site_packages(folder: Path, *, version: str, files: str) -> Path:
    """A folder as installers leave it, with another distribution beside this package."""
    package = folder / "dagster_rocky"
    package.mkdir()
    record = folder / f"dagster_rocky-{version}.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text(files)
    return package


def test_the_other_distribution_is_refused(tmp_path: Path):
    package = site_packages(tmp_path, version="2.1.0", files="dagster_rocky/__init__.py,sha256=x,12\n")
    with pytest.raises(ImportError) as refused:
        refuse_the_other(package)
    assert str(refused.value) == (
        f"Two distributions have installed files into {package}: dagster-rocky-component, which you want, and "
        "dagster-rocky 2.1.0, which is somebody else's. Neither is whole now. Remove both with "
        "`pip uninstall dagster-rocky dagster-rocky-component`, then install dagster-rocky-component again."
    )


def test_importing_says_so_and_shows_no_other_error(tmp_path: Path):
    package = site_packages(tmp_path, version="1.0", files="dagster_rocky/__init__.py,,\n")
    for name in ("__init__.py", "installation.py"):
        (package / name).write_text((REPOSITORY / "src" / "dagster_rocky" / name).read_text())
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import dagster_rocky"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: Two distributions have installed files into "
    )


@pytest.mark.parametrize("files", ["", "_editable_impl_dagster_rocky.pth,,\n../../../bin/other,,\n"])
def test_one_that_wrote_nothing_here_is_none_of_our_business(tmp_path: Path, files: str):
    refuse_the_other(site_packages(tmp_path, version="0.1.0", files=files))


def test_looking_costs_nothing_that_counts():
    package = REPOSITORY / "src" / "dagster_rocky"
    refuse_the_other(package)
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        refuse_the_other(package)
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.002


def test_the_name_is_the_one_in_the_metadata():
    metadata = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert metadata["name"] == DISTRIBUTION


@pytest.mark.parametrize(
    ("line", "pulls"),
    [
        ("pip install dagster-rocky", True),
        ('uv add "dagster-rocky[local]"', True),
        ("uvx --with dagster_rocky dg", True),
        ("pip install dagster-rocky-component", False),
        ("pip install dist/dagster_rocky_component-0.1.0-py3-none-any.whl", False),
        ("pip uninstall dagster-rocky dagster-rocky-component", False),
    ],
)
def test_a_command_that_pulls_the_other_would_be_seen(line: str, pulls: bool):
    assert bool(INSTALLS.search(line)) == pulls


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_no_text_pulls_the_other(path: Path):
    assert INSTALLS.findall(path.read_text(encoding="utf-8")) == []


def requirements(name: str) -> list[str]:
    """What a file asks an installer for."""
    text = (REPOSITORY / name).read_text()
    if not name.endswith(".toml"):
        return text.splitlines()
    project = tomllib.loads(text)["project"]
    optional = project.get("optional-dependencies", {}).values()
    return [*project["dependencies"], *(one for group in optional for one in group)]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "example_project/pyproject.toml"])
def test_no_list_of_requirements_names_the_other(name: str):
    assert [one for one in requirements(name) if re.match(r"dagster[-_.]rocky(?![-_.\w])", one)] == []
