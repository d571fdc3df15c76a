"""What a bundle is, said without running a turn of it: its manifest, its faults, its diagram."""

from botyard.inspection.bundle import inspect_bundle
from botyard.inspection.manifest import Manifest

__all__ = ["Manifest", "inspect_bundle"]
