"""Unstructured pruning: importance, masks, schedules, sensitivity."""
