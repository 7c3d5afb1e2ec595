"""Training with an energy ledger."""
