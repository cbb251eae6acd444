"""The ledger: one adapter for the embedded chain and for any node by URL, and what the corridor deploys there."""
