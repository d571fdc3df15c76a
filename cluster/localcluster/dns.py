"""CoreDNS as a Deployment behind the service address that the kubelet hands to every pod."""

from typing import Any

from localcluster.api import Api
from localcluster.layout import CLUSTER_DOMAIN, DNS_SERVICE_IP, digest

NAMESPACE = "kube-system"
NAME = "coredns"
PORT = 1053
"""Unprivileged, so that the container needs no capability."""
READY_PORT = 8181


def corefile(upstream: list[str]) -> str:
    """Return the Corefile.

    Args:
        upstream: Name servers for everything outside the cluster; none: such names do not resolve.
    """
    forward = "    forward . /etc/resolv.conf\n" if upstream else ""
    return (
        f".:{PORT} {{\n"
        "    errors\n"
        f"    ready :{READY_PORT}\n"
        f"    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{\n"
        "        pods insecure\n"
        "        ttl 5\n"
        "    }\n"
        f"{forward}"
        "    cache 5\n"
        "    reload 5s\n"
        "}\n"
    )


def manifests(image: str, upstream: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return the objects with their paths in the API, in the order in which to apply them."""
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": {"k8s-app": "kube-dns"}}
    core = f"/api/v1/namespaces/{NAMESPACE}"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    text = corefile(upstream)
    return [
        (
            f"{core}/serviceaccounts/{NAME}",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        ),
        (
            f"{rbac}/clusterroles/system:coredns",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "system:coredns"},
                "rules": [
                    {
                        "apiGroups": [""],
                        "resources": ["endpoints", "services", "pods", "namespaces"],
                        "verbs": ["list", "watch"],
                    },
                    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
                ],
            },
        ),
        (
            f"{rbac}/clusterrolebindings/system:coredns",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "system:coredns"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "system:coredns",
                },
                "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
            },
        ),
        (
            f"{core}/configmaps/{NAME}",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": text}},
        ),
        (
            f"{core}/services/kube-dns",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {**metadata, "name": "kube-dns"},
                "spec": {
                    "clusterIP": DNS_SERVICE_IP,
                    "selector": {"k8s-app": "kube-dns"},
                    "ports": [
                        {"name": "dns", "port": 53, "targetPort": PORT, "protocol": "UDP"},
                        {"name": "dns-tcp", "port": 53, "targetPort": PORT, "protocol": "TCP"},
                    ],
                },
            },
        ),
        (f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}", _deployment(metadata, image, text)),
    ]


def apply_dns(api: Api, image: str, upstream: list[str]) -> None:
    """Bring CoreDNS to its desired state; no write where it is there already."""
    for path, manifest in manifests(image, upstream):
        api.apply(path, manifest)


def _deployment(metadata: dict[str, Any], image: str, text: str) -> dict[str, Any]:
    labels = {"k8s-app": "kube-dns"}
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": READY_PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels, "annotations": {"botyard.dev/corefile": digest(text)}},
                "spec": {
                    "serviceAccountName": NAME,
                    "dnsPolicy": "Default",
                    "priorityClassName": "system-cluster-critical",
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                    "volumes": [{"name": "config", "configMap": {"name": NAME}}],
                },
            },
        },
    }
