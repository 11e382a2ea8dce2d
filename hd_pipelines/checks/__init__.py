"""Asset checks: validate tables before they are published, and report what needs attention.

Great Expectations is imported inside functions only: it costs eight seconds and 280 MB.
"""
