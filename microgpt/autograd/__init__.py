"""Derivatives by hand: a scalar engine to read first, then tensors on a tape."""
