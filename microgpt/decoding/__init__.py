"""Decoding: from the scores of a trained model to text, and the tricks that make it fast."""
