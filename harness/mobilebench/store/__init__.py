"""The run folder: raw first, append-only."""
