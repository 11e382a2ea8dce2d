"""The data vendor Massive (formerly Polygon.io): flat files in S3 and the REST service."""
