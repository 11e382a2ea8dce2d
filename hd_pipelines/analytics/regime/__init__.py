"""The market regime and what it is decided from."""
