"""The operator: makes the cluster agree with every `CloudHarnessOperation`.

`plan` decides, on values alone; `reconcile` observes, asks `plan`, and carries its answer out.
"""
