"""The tables of operators: what one call of each costs."""
