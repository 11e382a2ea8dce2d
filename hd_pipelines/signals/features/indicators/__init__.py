"""Technical indicators, key levels, trends and relative volume."""
