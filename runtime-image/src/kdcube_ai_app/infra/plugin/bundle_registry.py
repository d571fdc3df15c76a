"""The registry of bundles."""

from botyard.workflow.bundle_spec import BundleSpec
from botyard.workflow.registry import (
    get_all,
    get_default_id,
    load_from_env,
    resolve_bundle,
    set_registry,
    upsert_bundles,
)

__all__ = [
    "BundleSpec",
    "get_all",
    "get_default_id",
    "load_from_env",
    "resolve_bundle",
    "set_registry",
    "upsert_bundles",
]
