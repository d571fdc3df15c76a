"""Kubeconfig files: one for the administrator, one for each component."""

import base64
import json

from localcluster.layout import Layout, write_if_changed

CONTEXT = "botyard-local"
"""Name of context, cluster and user; by it other commands recognise the local cluster."""


def render_kubeconfig(layout: Layout, certificate: str) -> str:
    """Return a kubeconfig (JSON is YAML) that logs in with a certificate of the PKI folder, keys included."""

    def content(name: str) -> str:
        return base64.b64encode((layout.pki / name).read_bytes()).decode()

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {"server": layout.server, "certificate-authority-data": content("ca.crt")},
            }
        ],
        "users": [
            {
                "name": CONTEXT,
                "user": {
                    "client-certificate-data": content(f"{certificate}.crt"),
                    "client-key-data": content(f"{certificate}.key"),
                },
            }
        ],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}],
    }
    return json.dumps(document, indent=2) + "\n"


def write_component_kubeconfigs(layout: Layout) -> None:
    """Write the kubeconfigs of the components into the configuration folder."""
    for name in ("controller-manager", "scheduler", "kubelet", "proxy"):
        write_if_changed(layout.config / f"{name}.kubeconfig", render_kubeconfig(layout, name), mode=0o600)


def write_admin_kubeconfig(layout: Layout) -> None:
    """Write the administrator's kubeconfig; its existence tells others that the cluster answered once."""
    write_if_changed(layout.kubeconfig, render_kubeconfig(layout, "admin"), mode=0o600)
