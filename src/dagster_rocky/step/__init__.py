"""What happened: the one executor, and the one maker of Dagster events."""
