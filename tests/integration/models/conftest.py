"""Providers for tests."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.models.double import Provider, running


@pytest.fixture
async def double() -> AsyncIterator[Provider]:
    """A provider that answers as the test says."""
    async with running() as provider:
        yield provider
