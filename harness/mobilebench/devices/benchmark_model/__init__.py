"""TensorFlow's own program in the agent's place, for cross-checks."""
