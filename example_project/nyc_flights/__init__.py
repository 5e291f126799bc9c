"""The example's code location: everything in it comes from the YAML files in `defs/`."""
