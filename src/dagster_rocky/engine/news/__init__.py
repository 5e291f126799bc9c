"""What the engine tells while it runs and at its end."""
