"""The vendor's REST service: requests, paging and the answers that the platform reads."""
