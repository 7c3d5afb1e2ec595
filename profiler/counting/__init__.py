"""Exact counts of what a model does."""
