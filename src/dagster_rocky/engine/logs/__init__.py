"""The engine's stderr, for people."""
