"""The page of capability levels names tests that exist."""

import re

import pytest

from dev.generate import ROOT

PAGE = (ROOT / "docs" / "capabilities.md").read_text()
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)))


@pytest.mark.parametrize(("module", "test"), NAMED)
def test_a_capability_names_a_test(module: str, test: str) -> None:
    assert f"\ndef {test}(" in (ROOT / "tests" / "e2e" / module).read_text()


def test_each_of_five_levels_names_tests() -> None:
    levels = PAGE.split("\n## Level ")[1:]
    assert [level[0] for level in levels] == list("12345")
    assert all("::test_" in level for level in levels)
