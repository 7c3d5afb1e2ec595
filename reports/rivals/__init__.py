"""This program and others reading the same windows: scenarios.py plays them, readers.py reads."""
