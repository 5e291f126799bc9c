"""How a table comes about: one class for each kind of copy and of model."""
