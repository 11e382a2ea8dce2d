"""Asset checks: what a person should be told about data, and what keeps data from being published.

Great Expectations is imported inside functions only: it costs eight seconds and 280 MB.
"""
