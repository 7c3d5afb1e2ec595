"""Search for the networks of a space that are accurate and cheap, cheap as measured."""
