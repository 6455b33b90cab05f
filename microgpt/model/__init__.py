"""The model: pure functions over a flat dict of arrays."""
