"""``python -m mobilebench``: the command line."""

from mobilebench.cli.main import main

main(prog_name="mobilebench")
