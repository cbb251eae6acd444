"""what was forwarded to the bank, so that no payment is handed over twice"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "credited",
        sa.Column("payer", sa.String(length=11), nullable=False),
        sa.Column("uetr", sa.String(length=36), nullable=False),
        sa.Column("message", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("payer", "uetr"),
    )
