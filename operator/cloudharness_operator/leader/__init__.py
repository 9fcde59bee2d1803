"""Leader election by a Lease, and the fence that keeps other replicas from writing."""
