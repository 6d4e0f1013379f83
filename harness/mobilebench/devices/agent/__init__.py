"""The one conversation with an agent, whatever carries it."""
