"""One module for each subcommand; each has `run(args) -> int`, the exit code."""
