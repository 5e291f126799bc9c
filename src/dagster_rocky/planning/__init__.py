"""What to run: a selection as the fewest engine runs."""
