"""Sensors: outside events that start runs. Each has a cursor or a level signal, a deadline and deterministic run keys."""
