"""Table definitions in SQLAlchemy, partitions, and the schema revision."""
