"""Quantities as numbers, and requests beside limits."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cloudharness_operation.quantity import amount, errors_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", "2"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("2.", "2"),
        ("500m", "0.5"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1M", "1000000"),
        ("1E", "1000000000000000000"),
        ("1Ei", "1152921504606846976"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("12E-1", "1.2"),
    ],
)
def test_a_quantity_is_a_number(text: str, expected: str) -> None:
    assert amount(text) == Decimal(expected)


@pytest.mark.parametrize(
    ("requests", "limits", "problem"),
    [
        ({}, {}, None),
        ({"cpu": "1"}, {}, None),
        ({}, {"cpu": "1"}, None),
        ({"cpu": "1000m"}, {"cpu": "1"}, None),
        ({"cpu": "1001m"}, {"cpu": "1"}, "requests.cpu 1001m is more than limits.cpu 1: raise"),
        ({"memory": "1Gi"}, {"memory": "1G"}, "requests.memory 1Gi is more than limits.memory 1G"),
        ({"a.b/c": "1"}, {"a.b/c": "1"}, None),
        ({"a.b/c": "1"}, {"a.b/c": "2"}, "requests.a.b/c must be as limits.a.b/c, 2: remove the"),
        ({"hugepages-2Mi": "2Mi"}, {"hugepages-2Mi": "4Mi"}, "requests.hugepages-2Mi must be as"),
        ({}, {"a.b/c": "500m"}, "limits.a.b/c 500m is not whole"),
        ({}, {"a.b/c": "2000m"}, None),
    ],
)
def test_requests_stay_within_limits(
    requests: dict[str, str], limits: dict[str, str], problem: str | None
) -> None:
    found = errors_in(requests, limits)
    assert (found or "").startswith(problem or "")
    assert (found is None) is (problem is None)
