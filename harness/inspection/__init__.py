"""What is in a model's file: its layers, what they cost, how they are stored, what changed."""

from harness.inspection.changes import Change, changes
from harness.inspection.layers import Layer, ModelFacts, read

__all__ = ["Change", "Layer", "ModelFacts", "changes", "read"]
