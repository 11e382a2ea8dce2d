"""The vendor's REST service as an ASGI app."""
