"""Training: data, the loop, and the recipes of the models that ship."""
