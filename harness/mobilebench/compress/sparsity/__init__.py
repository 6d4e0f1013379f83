"""The sparse format of a ``.tflite`` file, and the graph that uses it."""
