"""What unstructured pruning is made of: importance, masks, schedules, sensitivity."""
