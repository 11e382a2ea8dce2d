"""The warehouse: everything that speaks to PostgreSQL, and nothing else does.

Tables and their migrations, the engine, bulk load, partitions and queries live here, and in `embedded` the server that
runs when no `HD_DATABASE_URL` is given. This module stays empty of imports, so that `embedded_postgres` can be used
without paying for SQLAlchemy.
"""
