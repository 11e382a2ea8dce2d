"""The schema's history, one Alembic revision per step. A released revision is never edited; `schema` runs them."""
