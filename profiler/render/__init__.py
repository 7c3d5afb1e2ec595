"""Finished profiles in the formats people read."""
