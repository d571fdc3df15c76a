"""A bundle of the loop model, with one file of scenarios."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.unit.scenario.loop_bundle import BOT, SCRIPT


@pytest.fixture(autouse=True)
def _own_modules() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("bot", None)


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle, with one file of scenarios and its model script."""

    def write(scenarios: str, script: str = SCRIPT, name: str = "talk.yaml") -> Path:
        (tmp_path / "bot.py").write_text(BOT)
        folder = tmp_path / "scenarios"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(dedent(scenarios))
        if script:
            (folder / "model-script.yaml").write_text(script)
        return tmp_path

    return write
