"""Ratios of stored profiles, their verdicts, and the gate that turns them into an exit code."""
