"""A search over recipes: from a model, a device and a budget to the file to ship."""
