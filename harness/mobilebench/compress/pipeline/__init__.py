"""How variants are made: the child process, what it reads and keeps, conversion, packing."""
