"""The Python client of `CloudHarnessOperation`, under CloudHarness's own names."""
