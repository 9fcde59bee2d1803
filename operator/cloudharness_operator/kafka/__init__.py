"""Kafka: the publisher of exit events, its settings, records and errors."""
