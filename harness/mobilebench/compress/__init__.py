"""A model in, a smaller .tflite out: one file a technique, recipes that chain them."""
