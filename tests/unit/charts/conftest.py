"""Helm, as these tests use it: `helm template` needs no cluster."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
Objects = list[dict[str, Any]]
Template = Callable[..., Objects]

KUBE_VERSION = "1.34.4"
PLACEHOLDER = "PHJhbmRvbT4="  # base64 of <random>


class TemplateError(Exception):
    """Helm refused; the text is its message."""


@pytest.fixture(scope="session")
def helm() -> str:
    built = ROOT / ".cluster/bin/helm"
    found = str(built) if built.exists() else shutil.which("helm")
    if found is None:
        pytest.skip("no helm: `make cluster` builds one at .cluster/bin/helm")
    return found


@pytest.fixture(scope="session")
def template(helm: str) -> Template:
    """Render charts/botyard with values; what is random in Secrets is replaced."""

    def render(**values: Any) -> Objects:
        result = subprocess.run(
            [
                *(helm, "template", "botyard", ROOT / "charts/botyard", "--namespace", "botyard-system"),
                *("--kube-version", KUBE_VERSION, "--values", "-"),
            ],
            input=yaml.safe_dump(values),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if result.returncode:
            raise TemplateError(result.stderr)
        objects = [document for document in yaml.safe_load_all(result.stdout) if document]
        for secret in (found for found in objects if found["kind"] == "Secret"):
            if "password" in secret["data"] or "key" in secret["data"]:
                secret["data"] = dict.fromkeys(secret["data"], PLACEHOLDER)
        return objects

    return render
