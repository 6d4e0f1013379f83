"""The steps of recipes: one file a technique."""
