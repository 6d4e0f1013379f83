"""A .tflite file without running it: read, changed and written; and its graph in plain words."""
