"""Two thin layers in the place of one."""
