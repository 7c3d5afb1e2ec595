"""One training run: its start, loop, step and finish."""
