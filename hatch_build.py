"""Where does the project live? The links in the metadata come from the checkout that a distribution is built from."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINKS = {
    "Repository": "{address}",
    "Documentation": "{address}/blob/main/docs/index.md",
    "Changelog": "{address}/blob/main/CHANGELOG.md",
    "Issues": "{address}/issues",
}


class ProjectLinks(MetadataHookInterface):
    """Fills `urls`, which pyproject.toml leaves open, as nobody has to be told where a copy of the project is kept."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, object]) -> None:
        """Adds the links where the checkout has a public `origin`, and none where it has not."""
        address = public_address(_origin(Path(self.root)))
        metadata["urls"] = (
            {name: link.format(address=address) for name, link in LINKS.items()} if address else {}
        )


def public_address(remote: str) -> str | None:
    """Turns a git remote into the address of its page, without user, password, port and `.git`.

    A folder, and a host that only this machine or network knows, has no such page.

    >>> public_address("git@github.com:team/project.git")
    'https://github.com/team/project'
    >>> public_address("/srv/git/project.git") is None
    True
    """
    short = re.fullmatch(r"(?:[^@/:\s]+@)?([^/:\s]+):(?!//)([^\s]+)", remote)
    url = urlsplit(f"ssh://{short[1]}/{short[2]}" if short else remote)
    host, path = url.hostname or "", url.path.strip("/").removesuffix(".git")
    public = re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", host) and not host.endswith(
        (".local", ".internal", ".lan")
    )
    return (
        f"https://{host}/{path}"
        if url.scheme in ("https", "http", "ssh", "git") and public and path
        else None
    )


def _origin(checkout: Path) -> str:
    if not (checkout / ".git").exists():
        return ""
    command = ["git", "-C", str(checkout), "remote", "get-url", "origin"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
