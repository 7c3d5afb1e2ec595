"""Callbacks for other people's loops; each imports its host lazily."""
