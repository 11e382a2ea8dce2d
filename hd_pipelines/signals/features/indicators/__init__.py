"""Indicators, levels, trends and relative volume of bars."""
