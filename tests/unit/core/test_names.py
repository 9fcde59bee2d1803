"""Names, which must come out the same for ever."""

from __future__ import annotations

import re

import pytest

from cloudharness_operation.names import (
    MAX_NAME_LENGTH,
    MAX_OPERATION_NAME_LENGTH,
    child_name,
    resource_path,
)
from tests.support.builders import OTHER_UID, UID


@pytest.mark.parametrize(
    ("operation", "uid", "run", "expected"),
    [
        ("sums", UID, 1, "sums-060de"),
        ("sums", UID, 2, "sums-485db"),
        ("sums", OTHER_UID, 1, "sums-8d738"),
        ("other", UID, 1, "other-060de"),
    ],
    ids=["first run", "second run", "another uid", "another name"],
)
def test_a_childs_name_is_the_same_in_every_version(
    operation: str, uid: str, run: int, expected: str
) -> None:
    assert child_name(operation, uid, run) == expected


def test_uid_and_run_do_not_run_into_each_other() -> None:
    assert child_name("a", "u1", 1) != child_name("a", "u", 11)


def test_the_longest_name_fits_into_a_label() -> None:
    name = child_name("a" * MAX_OPERATION_NAME_LENGTH, UID, 1)
    assert len(name) == MAX_NAME_LENGTH == 63
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)


def test_an_operation_has_the_path_that_kubectl_asks_for() -> None:
    assert resource_path("lab", "sums") == (
        "/apis/cloudharness.io/v1alpha1/namespaces/lab/cloudharnessoperations/sums"
    )
