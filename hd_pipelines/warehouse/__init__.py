"""The warehouse: the only package that connects to PostgreSQL.

`schema` and `migrations` define the tables, `publish` loads rows in bulk, `records` writes small transactional rows, `read`
queries. Keep this module free of imports, so that `embedded_postgres` can be used without the cost of SQLAlchemy.
"""
