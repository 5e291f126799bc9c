"""Rocky SQL projects as Dagster assets."""
