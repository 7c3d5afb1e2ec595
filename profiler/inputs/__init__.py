"""Real inputs for a measurement."""
