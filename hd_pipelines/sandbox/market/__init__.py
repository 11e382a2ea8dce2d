"""The synthetic market: universe, price paths, option chains, quotes and prints."""
