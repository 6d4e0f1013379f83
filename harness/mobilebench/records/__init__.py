"""The things that travel from room to room: plain, typed values."""
