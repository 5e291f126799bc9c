"""Which suffix do the tables of a branch deployment get?"""

import hashlib
import re
from collections.abc import Mapping

import dagster as dg

from dagster_rocky.engine.options import RunOptions

IS_BRANCH = "DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT"
NAME = "DAGSTER_CLOUD_DEPLOYMENT_NAME"
PULL_REQUEST = "DAGSTER_CLOUD_PULL_REQUEST_ID"

_NAME_CHARACTERS = 16
_DIGEST_CHARACTERS = 6


def branch_suffix(environment: Mapping[str, str]) -> str | None:
    """The suffix of everything that a branch deployment writes.

    It is made of the pull request's number or the deployment's name, cut to what any warehouse takes in a name, and
    of a short hash of both, so that no two deployments share their tables.

    Args:
        environment: The process's environment variables; Dagster+ sets those that count.

    Returns:
        At most 26 characters of `[a-z0-9_]`; `None` outside of branch deployments.

    Raises:
        dagster.Failure: When this is a branch deployment and nothing says which one.

    Example:
        ```python
        branch_suffix({"DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT": "1", "DAGSTER_CLOUD_PULL_REQUEST_ID": "57"})
        # '__pr57_1594b7'
        ```
    """
    if environment.get(IS_BRANCH, "").strip().lower() not in {"1", "true"}:
        return None
    name, number = environment.get(NAME, "").strip(), environment.get(PULL_REQUEST, "").strip()
    if not name and not number:
        raise dg.Failure(
            description=(
                f"{IS_BRANCH} says that this is a branch deployment, and neither {NAME} nor {PULL_REQUEST} says which: "
                "nothing is run, because it could write to production. Set one of them, or run.shadow to a suffix."
            ),
            allow_retries=False,
        )
    readable = f"pr{number}" if number else name
    slug = re.sub(r"[^a-z0-9]+", "_", readable.lower()).strip("_")[:_NAME_CHARACTERS].strip("_")
    digest = hashlib.sha256(f"{name}\n{number}".encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return "__" + "_".join(part for part in (slug, digest) if part)


def shadowed(options: RunOptions, shadow: str, environment: Mapping[str, str]) -> RunOptions:
    """The options with the shadow that the YAML asks for.

    Args:
        options: What every run is given.
        shadow: `off`, `branch_deployment` or a suffix.
        environment: The process's environment variables.

    Raises:
        dagster.Failure: See `branch_suffix`.

    Example:
        ```python
        shadowed(RunOptions(), "branch_deployment", {}).shadow_suffix is None  # True
        ```
    """
    suffix = branch_suffix(environment) if shadow == "branch_deployment" else shadow
    if suffix is None or shadow == "off":
        return options
    return options.model_copy(update={"shadow_suffix": suffix})
