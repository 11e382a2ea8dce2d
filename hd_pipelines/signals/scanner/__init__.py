"""The composite scanner: from a firing detector to a signal worth storing, or to a named rejection."""
