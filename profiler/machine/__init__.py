"""The machine that measures: its devices, its state, its sensors in use, what else runs on it."""
