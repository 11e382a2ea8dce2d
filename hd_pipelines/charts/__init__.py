"""Pictures drawn with matplotlib: SVG for asset pages, PNG for alerts and documents.

Every function takes plain values or frames and returns the finished picture. Reading data and computing profiles or
interpolations happens elsewhere. matplotlib is imported inside functions, so that importing this package stays cheap.
"""
