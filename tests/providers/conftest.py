"""The vendor's REST service on loopback; see `tests.support.rest`."""

from tests.support.rest import api_of, chains_of

__all__ = ["api_of", "chains_of"]
