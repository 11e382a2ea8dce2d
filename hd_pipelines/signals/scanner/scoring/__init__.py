"""Checks and scores of many rows at once: filters, data confidence, styles, thresholds, edge."""
