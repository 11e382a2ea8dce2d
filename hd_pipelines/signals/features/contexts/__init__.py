"""Features from context beside the symbol's own bars: option chains, market regime, implied volatility, flow."""
