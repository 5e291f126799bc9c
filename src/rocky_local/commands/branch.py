"""`rocky branch create|list`: named places beside the real targets that `run --branch` writes to (contract, 5.9)."""

from rocky_local import clock
from rocky_local.args import Arguments
from rocky_local.errors import EngineError, Unsupported
from rocky_local.output import Answer, head
from rocky_local.state import open_for_writing, reading


def run(args: Arguments) -> Answer:
    """Make a branch, or list all of them."""
    match args.positionals:
        case ["list"]:
            with reading(args.state_file) as store:
                branches = store.branches()
            return Answer({**head("branch list"), "branches": branches, "total": len(branches)})
        case ["create", name]:
            created = clock.rfc3339(clock.now_ns(), "+00:00")
            branch = {"name": name, "schema_prefix": f"branch__{name}"}
            branch |= {"created_by": "unknown", "created_at": created}
            with open_for_writing(args.state_file) as store:
                if any(known["name"] == name for known in store.branches()):
                    raise EngineError(f"branch '{name}' already exists")
                store.add_branch(branch)
            return Answer({**head("branch create"), "branch": branch})
        case words:
            raise Unsupported(f"the command 'branch {' '.join(words)}'")
