"""What is asked of a model and its data before a recipe, and checked of each file after a step."""
