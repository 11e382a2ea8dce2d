"""The vendor's flat files: listing, downloading, verifying, reading."""
