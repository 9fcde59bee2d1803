"""Decisions: from the observed state of a run to a plan. Pure: no I/O, clock or environment."""
