"""The feature frame of a symbol's session: one function for scanner, backtest and paper trading."""
