"""Where models run: this machine, boards and phones."""
