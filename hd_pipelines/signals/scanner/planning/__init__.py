"""What a signal tells a trader to do: levels, validity, position size by volatility, option contract."""
