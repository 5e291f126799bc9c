"""What is asked of the engine: one request is one engine run, as plain data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dagster_rocky.engine.options import RunOptions


@dataclass(frozen=True, kw_only=True)
class ChosenModel:
    """One of several models that a run builds.

    Attributes:
        name: The engine's name of it.
        path: Its file, relative to the folder of `rocky.toml`.
        after: The names of the other chosen models that are built before it.
    """

    name: str
    path: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One run of the engine, before it is a process.

    The fields are the engine's own flags (contract, section 5); a field that is unset leaves its flag out.

    Attributes:
        command: `seed` loads every seed file; of the other fields it takes `pipeline` alone. `plan` takes what `run`
            takes, and `apply` the plan's id alone (contract, section 4).
        filter: `key=value`; the key is `id`, `table`, or a component of the schema pattern. Replication only.
        pipeline: The pipeline to run; needed when the project has several.
        run_models: After a replication, build the models too (`--all`, and `--models` with `models_dir`).
        model: Build this one model and nothing else.
        models: Build these models of `pipeline` and nothing else. No flag says so: the run is given a private copy
            of the project that holds just them.
        partition: One partition key in the engine's format (`2026-05-02`, `2026-05-02T08`, `2026-05`, `2026`).
        partition_from: First key of an inclusive range; goes with `partition_to`.
        partition_to: Last key of the range.
        latest: The partition that contains now.
        missing: Every partition that the run state does not have.
        lookback: How many earlier partitions to rebuild; 0 suppresses the model's own setting.
        parallel: The engine's `--parallel`.
        idempotency_key: The engine runs a key once; a repeat is skipped. Made of the options' by the plan.
        plan_id: Of `apply`: the plan.
        resume: The engine's id of an earlier run of this replication; what it copied is left out.
        options: What every run is given: environment, variables, shadow, deadline, logs.

    Example:
        ```python
        RunRequest(filter="airport=jfk", pipeline="landing").to_args()
        # ['run', '--pipeline', 'landing', '--filter', 'airport=jfk']
        ```
    """

    command: Literal["run", "seed", "plan", "apply"] = "run"
    filter: str | None = None
    pipeline: str | None = None
    run_models: bool = False
    models_dir: str | None = None
    model: str | None = None
    models: tuple[ChosenModel, ...] = ()
    partition: str | None = None
    partition_from: str | None = None
    partition_to: str | None = None
    latest: bool = False
    missing: bool = False
    lookback: int | None = None
    parallel: int | None = None
    idempotency_key: str | None = None
    plan_id: str | None = None
    resume: str | None = None
    options: RunOptions = field(default_factory=RunOptions)

    def __post_init__(self) -> None:
        """Refuses what the engine would refuse, with the field's name.

        Raises:
            ValueError: When flags contradict each other, the filter is no `key=value`, or a name holds a line break
                or a NUL byte.
        """
        _refuse_control_characters(self)
        if self.filter is not None and "=" not in self.filter:
            raise ValueError(f"filter must be `key=value`, for example `airport=jfk`; got {self.filter!r}")
        if (self.command == "apply") != (self.plan_id is not None):
            raise ValueError("apply needs a plan_id, and no other command takes one")
        if self.models and (self.model or not self.pipeline):
            raise ValueError("models needs the pipeline that they belong to, and excludes model")
        if (self.partition_from is None) != (self.partition_to is None):
            raise ValueError("partition_from and partition_to go together: set both or neither")
        chosen = [
            name
            for name, value in {
                "partition": self.partition,
                "partition_from/partition_to": self.partition_from,
                "latest": self.latest,
                "missing": self.missing,
            }.items()
            if value
        ]
        if len(chosen) > 1:
            raise ValueError(
                f"choose one of {', '.join(chosen)}: the engine takes one partition selection a run"
            )

    def to_args(self) -> Sequence[str]:
        """The subcommand and its flags, without the global ones (`-c`, `-o`, `--state-path`)."""
        if self.command == "seed":
            return ["seed", *(["--pipeline", self.pipeline] if self.pipeline else [])]
        if self.command == "apply":
            return ["apply", str(self.plan_id)]
        args: list[str] = [self.command]
        valued = {
            "--pipeline": self.pipeline,
            "--filter": self.filter,
            "--model": self.model,
            "--partition": self.partition,
            "--from": self.partition_from,
            "--to": self.partition_to,
            "--lookback": self.lookback,
            "--parallel": self.parallel,
            "--resume": self.resume,
            "--idempotency-key": self.idempotency_key,
            "--env": self.options.env,
        }
        for flag, value in valued.items():
            if value is not None:
                args += [flag, str(value)]
        if self.latest:
            args.append("--latest")
        if self.missing:
            args.append("--missing")
        if self.run_models:
            args += ["--models", self.models_dir] if self.models_dir else []
            args.append("--all")
        if self.options.shadow_suffix is not None:
            args += ["--shadow", "--shadow-suffix", self.options.shadow_suffix]
        args += ["--force-rebuild"] if self.options.force_rebuild else []
        args += ["--no-prune"] if self.options.no_prune else []
        for name, value in self.options.vars.items():
            args += ["--var", f"{name}={value}"]
        if self.options.governance_override is not None:
            args += ["--governance-override", json.dumps(dict(self.options.governance_override))]
        return args


_ONE_LINE = (
    "filter",
    "pipeline",
    "models_dir",
    "model",
    "partition",
    "partition_from",
    "partition_to",
    "idempotency_key",
    "plan_id",
    "resume",
)


def _refuse_control_characters(request: RunRequest) -> None:
    """No command line carries a NUL byte, and no name, filter or key of the engine has a line break."""
    options = request.options
    named = {name: getattr(request, name) for name in _ONE_LINE}
    named |= {"env": options.env, "shadow_suffix": options.shadow_suffix}
    named |= {f"the name of the variable {name!r}": name for name in options.vars}
    for name, value in named.items():
        if value is not None and any(char in value for char in "\0\n\r"):
            raise ValueError(f"{name} must be one line without NUL bytes; got {value!r}")
    for name, value in options.vars.items():
        if "\0" in value:
            raise ValueError(f"vars: {name!r} must not hold a NUL byte; got {value!r}")
