"""Sensors: outside events that start runs. Each reads a level, not an edge, and has deterministic run keys."""
