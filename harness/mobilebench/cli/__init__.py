"""The commands: each parses, calls and prints; no logic.

Modules are imported inside the commands that need them: ``--help`` must answer at once.
"""
