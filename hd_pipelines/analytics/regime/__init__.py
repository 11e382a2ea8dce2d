"""The market regime: measures of the market, rules, and the regime of each session."""
