"""Structured pruning: groups of dependent channels in a Keras graph, and the narrower model."""
