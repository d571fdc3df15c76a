"""The cluster's certificates, by the `openssl` command: one authority, one certificate for each component.

Names and groups are those that Kubernetes' built-in RBAC roles are bound to
(https://kubernetes.io/docs/setup/best-practices/certificates/).
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from localcluster.commands import run
from localcluster.layout import API_SERVICE_IP, CLUSTER_DOMAIN, NODE_IP, NODE_NAME, Layout

DAYS = "3650"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """One certificate: `name.crt` and `name.key` in the PKI folder."""

    name: str
    common_name: str
    organization: str = ""
    alternatives: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Subject in the form of the `openssl` command."""
        organization = f"/O={self.organization}" if self.organization else ""
        return f"{organization}/CN={self.common_name}"


_API_NAMES = (
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    f"DNS:kubernetes.default.svc.{CLUSTER_DOMAIN}",
    "DNS:localhost",
    f"IP:{NODE_IP}",
    f"IP:{API_SERVICE_IP}",
    "IP:127.0.0.1",
)

CERTIFICATES = (
    Certificate("etcd", "etcd", alternatives=("DNS:localhost", "IP:127.0.0.1")),
    Certificate("apiserver", "kube-apiserver", alternatives=_API_NAMES),
    Certificate("apiserver-client", "kube-apiserver-client", "system:masters"),
    Certificate("front-proxy", "front-proxy-client"),
    Certificate("admin", "kubernetes-admin", "system:masters"),
    Certificate("controller-manager", "system:kube-controller-manager"),
    Certificate("scheduler", "system:kube-scheduler"),
    # The node's address must be among the names, or logs, exec and port-forward fail.
    Certificate(
        "kubelet", f"system:node:{NODE_NAME}", "system:nodes", (f"DNS:{NODE_NAME}", f"IP:{NODE_IP}", "IP:127.0.0.1")
    ),
    Certificate("proxy", "system:kube-proxy"),
)


def ensure_certificates(layout: Layout) -> bool:
    """Create authority, certificates and the service-account key where they are missing; return whether they were.

    All appear at once, so that an interrupted run leaves none behind.
    """
    if layout.pki.is_dir():
        return False
    partial = layout.pki.with_name("pki.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    _create_authority(partial)
    for certificate in CERTIFICATES:
        _create(partial, certificate)
    run(["openssl", "genrsa", "-out", partial / "service-account.key", "2048"])
    run(
        ["openssl", "rsa", "-in", partial / "service-account.key", "-pubout", "-out", partial / "service-account.pub"],
    )
    partial.rename(layout.pki)
    return True


def _create_authority(folder: Path) -> None:
    files: list[str | Path] = ["-keyout", folder / "ca.key", "-out", folder / "ca.crt"]
    names = ["-subj", "/CN=botyard-local-cluster", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    run(["openssl", "req", "-x509", *KEY, *files, "-days", DAYS, *names])


def _create(folder: Path, certificate: Certificate) -> None:
    authority: list[str | Path] = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key"]
    files: list[str | Path] = [
        "-keyout",
        folder / f"{certificate.name}.key",
        "-out",
        folder / f"{certificate.name}.crt",
    ]
    usage = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth,clientAuth"]
    names = ["-addext", "subjectAltName=" + ",".join(certificate.alternatives)] if certificate.alternatives else []
    subject = ["-subj", certificate.subject]
    run(["openssl", "req", "-x509", *authority, *KEY, *files, "-days", DAYS, *subject, *usage, *names])
