"""What papers claim, as TOML files, and what was measured put beside it."""
