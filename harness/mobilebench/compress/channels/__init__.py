"""Structured pruning: which channels of a Keras graph belong together, and a model without some."""
