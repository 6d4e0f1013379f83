"""What is in a model's file: its layers, what they cost, how they are stored, what changed."""

from mobilebench.tflite.inspect.changes import Change, changes
from mobilebench.tflite.inspect.layers import Layer, ModelFacts, read

__all__ = ["Change", "Layer", "ModelFacts", "changes", "read"]
