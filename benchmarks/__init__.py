"""What is measured: `make benchmark`."""
