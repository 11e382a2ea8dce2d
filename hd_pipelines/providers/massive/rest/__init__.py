"""The vendor's REST service: requests, paging and the responses that the platform reads."""
