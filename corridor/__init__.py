"""A payment's life in the corridor, from the instruction a bank sends to finality on the ledger."""
