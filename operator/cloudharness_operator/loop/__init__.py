"""The one loop: cache, queue, observe, reconcile, clean up."""
