"""Several runs that belong together: models, seeds, one table."""
