"""What holds for every test: how property tests run, and what tests are called."""

import os

import pytest
from hypothesis import settings

# A deadline would judge the machine. Under CI the examples are fixed, so that a red run can be had again; at a desk
# they are new each time, so that something can be found.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name a parameter of bytes by what it is for: archives hold the time, and processes must agree on the names."""
    return argname if isinstance(val, bytes) else None
