"""Require a VIX level in rows of the market regime: a session without one gets no row but a finding."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE market_regime_history ALTER vix_level SET NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE market_regime_history ALTER vix_level DROP NOT NULL")
