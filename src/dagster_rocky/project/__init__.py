"""What the engine said of a project when it was asked."""
