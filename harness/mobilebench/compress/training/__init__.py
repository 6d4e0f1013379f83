"""Training on: Keras models between steps, retraining, teachers."""
