"""Runs the migrations of the agent's store inside the connection that :mod:`corridor.store.database` hands over."""

from alembic import context

from corridor.store import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.agent)
with context.begin_transaction():
    context.run_migrations()
