"""Puts a bundle's installed dependencies onto the path of the process that runs it.

Imports nothing but the standard library, because whatever is imported before keeps the image's version.
"""

import sys
from pathlib import Path


def activate(layer: Path) -> None:
    """Let imports find the packages of `layer` before those of the image, and after the standard library.

    Args:
        layer: Folder of the layer; one that does not exist changes nothing.
    """
    if not layer.is_dir():
        return
    place = next((n for n, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages"))), None)
    sys.path.insert(len(sys.path) if place is None else place, str(layer))
