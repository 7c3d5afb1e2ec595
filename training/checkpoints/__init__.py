"""One safetensors file a checkpoint, which never runs code."""
