"""What all tests share: the cluster as a fixture, and how hypothesis looks for counterexamples."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster.plugin"]

# How fast a busy machine is says nothing about the code, and a run is to be like the one before.
settings.register_profile(
    "any machine",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")
