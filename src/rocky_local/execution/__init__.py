"""What a run does: its options, the work of each kind of pipeline, checks, and its result."""
