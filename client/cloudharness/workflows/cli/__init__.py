"""The command line: `cloudharness-operation`, and `kubectl cho`.

`main` has the command and its exit codes, `commands` and `run` have the subcommands. `tables`,
`tree` and `explain` format text, and send no requests.
"""
