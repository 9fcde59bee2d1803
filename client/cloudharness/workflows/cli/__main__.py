"""`python -m cloudharness.workflows.cli`: the command without its script on the PATH."""

from cloudharness.workflows.cli.main import main

main()
