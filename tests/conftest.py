"""What holds for every test: how property tests run."""

import os

from hypothesis import settings

# A deadline would judge the machine. Under CI the examples are fixed, so that a red run can be had again; at a desk
# they are new each time, so that something can be found.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
