"""Queries that return frames, arrays or plain rows and change nothing."""
