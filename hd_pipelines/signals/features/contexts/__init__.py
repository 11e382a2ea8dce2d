"""Features of data beside the symbol's own bars: chains, regime, volatility."""
