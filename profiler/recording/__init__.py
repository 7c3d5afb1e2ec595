"""When the sensors are looked at, what was seen, and `record()` for any code."""
