"""An embedded engine that speaks the `rocky` command-line contract over DuckDB."""

__version__ = "1.71.0"
