"""The measuring protocol, and what is measured by it: a model, a command."""
