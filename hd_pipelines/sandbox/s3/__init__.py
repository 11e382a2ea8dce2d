"""The vendor's S3 endpoint as an ASGI app."""
