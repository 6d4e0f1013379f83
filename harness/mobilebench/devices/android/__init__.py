"""Phones: the app, and the state of a phone before and after a trial."""
