"""Alignment: from a model that continues text to one that does what people prefer."""
