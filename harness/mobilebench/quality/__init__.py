"""What answers are worth: scores of each task against labels, and parity with a reference."""
