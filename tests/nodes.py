"""A node of a test's own."""

from contextlib import contextmanager

import pytest

from tools import foundry


@contextmanager
def anvil(*flags):
    """The URL of a fresh anvil."""
    if foundry.binary_of("anvil") is None:
        pytest.skip("anvil is not installed: run make test once, it installs the Node tools")
    with foundry.anvil(*flags) as url:
        yield url
