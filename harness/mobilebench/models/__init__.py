"""Where models and data come from: the zoo, datasets, a user's own files."""
