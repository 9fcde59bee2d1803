"""`python -m cloudharness.workflows.cli`, where the command is not on the PATH."""

from cloudharness.workflows.cli.main import main

main()
