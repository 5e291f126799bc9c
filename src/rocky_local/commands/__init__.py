"""One module for each subcommand; each has `run(args) -> Answer`."""
