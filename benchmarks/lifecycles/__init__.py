"""Whole lifecycles beside other controllers: `make benchmark-lifecycles`."""
