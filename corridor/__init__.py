"""A payment's life in the corridor, from the instruction a bank sends to finality on the ledger."""

import os

# The C implementation of keccak-256 is seven times as fast as the one that eth-hash picks first by itself, and
# everything here hashes: leaves, ids, transactions, and the embedded ledger's whole state.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
