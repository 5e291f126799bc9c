"""A built distribution tells where the project lives, wherever that is, and nothing about this machine."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

from support.scripts import REPOSITORY, load_script

hatch_build = load_script("hatch_build.py")

GITHUB = "https://github.com/team/project"
REMOTES = {
    "https://github.com/team/project.git": GITHUB,
    "https://github.com/team/project/": GITHUB,
    "git@github.com:team/project.git": GITHUB,
    "ssh://git@github.com:22/team/project": GITHUB,
    "https://me:ghp_secret@github.com/team/project.git": GITHUB,
    "git://gitlab.example.org/group/sub/project.git": "https://gitlab.example.org/group/sub/project",
    "/srv/git/project.git": None,
    "../project": None,
    "file:///srv/git/project.git": None,
    "https://localhost:3000/team/project": None,
    "http://127.0.0.1/team/project.git": None,
    "git@builder.internal:team/project.git": None,
    "C:\\git\\project": None,
    "https://github.com/": None,
    "": None,
}


@pytest.mark.parametrize(("remote", "address"), REMOTES.items())
def test_the_address_of_a_remote(remote: str, address: str | None):
    assert hatch_build.public_address(remote) == address


@pytest.mark.parametrize("origin", [*list(REMOTES)[4:7], None])
def test_the_metadata_of_a_checkout(tmp_path: Path, origin: str | None):
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    if origin is not None:
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
        subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", origin], check=True)
    urls = ProjectMetadata(str(tmp_path), PluginManager()).core.urls
    if (address := REMOTES.get(origin or "")) is None:
        assert urls == {}
    else:
        assert urls["Repository"] == address
        assert urls["Changelog"] == f"{address}/blob/main/CHANGELOG.md"
        assert all(url.startswith(address) for url in urls.values())
        linked = [url.removeprefix(f"{address}/blob/main/") for url in urls.values() if "/blob/" in url]
        assert all((REPOSITORY / path).is_file() for path in linked)
