"""What the environment says."""

import os
from dataclasses import dataclass, field

from botyard.workflow.relays import redis_url_from_env
from botyard.workflow.tasks import DEFAULT_PROJECT, DEFAULT_TENANT


def _from(name: str, otherwise: str = "") -> str:
    return os.environ.get(name) or otherwise


@dataclass(frozen=True)
class Settings:
    """Settings of the host, as bundles read them."""

    TENANT: str = field(default_factory=lambda: _from("TENANT_ID", DEFAULT_TENANT))
    PROJECT: str = field(default_factory=lambda: _from("DEFAULT_PROJECT_NAME", DEFAULT_PROJECT))
    REDIS_URL: str = field(default_factory=redis_url_from_env)
    STORAGE_PATH: str = field(default_factory=lambda: _from("KDCUBE_STORAGE_PATH"))
    """Where artifacts and accounts are kept: a folder, `file://…` or `s3://…`."""
