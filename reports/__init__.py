"""What papers claim, what we run, and what came out."""
