"""An embedded twin of the `rocky` engine over DuckDB: the same command line, outputs, logs and oddities."""

__version__ = "1.71.0"
