"""The command line: `cloudharness-operation`, and `kubectl cho`.

`main` has the command and what it exits with, `commands` what it does; `tables`, `tree` and
`explaining` make text of what is known, and ask nobody.
"""
