"""The operator's ServiceAccount with exactly the permissions that the chart renders for one namespace."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.integration.apiserver.binaries import ROOT, find_binaries
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.process import SYSTEM_NAMESPACE

_KINDS = ("Role", "RoleBinding", "ServiceAccount")


def account_with_the_charts_roles(
    apiserver: ApiServer, namespace: str, *, without: tuple[str, str] | None = None
) -> Path:
    """Return a kubeconfig of the operator's account, after its Roles were applied.

    Args:
        apiserver: Where to apply them.
        namespace: The namespace that it serves.
        without: A resource and a verb to leave out of all Roles, such as `("pods", "patch")`.
    """
    rendered = subprocess.run(
        [
            str(find_binaries() / "helm"),
            "template",
            "--kube-version=1.34.0",
            "test",
            str(ROOT / "charts" / "botyard"),
            f"--namespace={SYSTEM_NAMESPACE}",
            f"--set=namespaces={{{namespace}}}",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    for obj in yaml.safe_load_all(rendered):
        if obj and obj["kind"] in _KINDS and "operator" in obj["metadata"]["name"]:
            apiserver.client.apply(_without(obj, *without) if without else obj)
    return apiserver.service_account_kubeconfig(SYSTEM_NAMESPACE, "botyard-operator")


def _without(obj: dict[str, Any], resource: str, verb: str) -> dict[str, Any]:
    rules = [
        {**rule, "verbs": [each for each in rule["verbs"] if resource not in rule["resources"] or each != verb]}
        for rule in obj.get("rules", ())
    ]
    return {**obj, "rules": rules} if rules else obj
