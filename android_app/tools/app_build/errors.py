"""What goes wrong in a build."""


class BuildError(Exception):
    """What went wrong, where, and what to do, in one sentence."""
