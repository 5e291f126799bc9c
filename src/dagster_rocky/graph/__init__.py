"""What exists: the assets and checks of a component."""
