"""The study's zoo: one file a family."""
