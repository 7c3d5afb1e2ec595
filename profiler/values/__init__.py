"""Immutable values that the rooms hand on; pure, and importing nothing above them."""
