"""What goes wrong on a machine, in words for the person at it."""


class MachineError(Exception):
    """A message that says what failed and what to do."""
