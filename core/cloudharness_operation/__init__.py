"""What an operation is: its names, its model, its child Workflow, its exit event.

This room computes on its arguments. It never does I/O and never asks for the time, a random
number or the environment, so every function here can be tested as a row of values.
"""
