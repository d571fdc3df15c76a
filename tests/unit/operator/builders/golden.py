"""Golden files: what the builders render, reviewed by people as YAML.

`BOTYARD_UPDATE_GOLDEN=1 pytest tests/unit/operator/builders` writes them anew.
"""

import difflib
import os
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent / "golden"


def check(name: str, objects: list[dict[str, Any]]) -> None:
    """Compare objects with the golden file `name`."""
    text = yaml.safe_dump_all(objects, sort_keys=False, width=120)
    path = _FOLDER / f"{name}.yaml"
    if os.environ.get("BOTYARD_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    difference = "\n".join(difflib.unified_diff(path.read_text().splitlines(), text.splitlines(), "file", "now"))
    assert not difference, f"{path.name} differs; look at the difference, then update it:\n{difference}"
