"""The tooling runs without being installed, from its folder; so do its tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "cluster"))

from localcluster.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Folders of a cluster that nothing else uses."""
    return Layout(project=tmp_path / "project", state=tmp_path / "state", cache=tmp_path / "cache")
