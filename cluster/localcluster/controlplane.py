"""Command lines of etcd, API server, controller-manager and scheduler."""

import json
from typing import Any

from localcluster.layout import NODE_IP, POD_CIDR, SERVICE_CIDR, Layout, write_if_changed
from localcluster.processes import Component

CLIENT_QPS = ("--kube-api-qps=500", "--kube-api-burst=1000")
"""The defaults (20 and 30) would make the control plane, not the operator, the bottleneck of every benchmark."""

AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "omitManagedFields": True,
    "rules": [
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "None"},
    ],
}
"""All writes with who made them, so that tests can count the operator's; no reads."""


def etcd(layout: Layout) -> Component:
    """Return etcd; without fsync, because what it holds may be lost with the machine."""
    client = f"https://127.0.0.1:{layout.ports.etcd}"
    peer = f"http://127.0.0.1:{layout.ports.etcd_peer}"
    tls = [f"--cert-file={layout.pki}/etcd.crt", f"--key-file={layout.pki}/etcd.key"]
    return Component(
        name="etcd",
        argv=[
            f"{layout.bin}/etcd",
            "--name=local",
            f"--data-dir={layout.state}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=local={peer}",
            *tls,
            f"--trusted-ca-file={layout.pki}/ca.crt",
            "--client-cert-auth",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=4294967296",
            "--auto-compaction-retention=5m",
            "--log-level=warn",
        ],
        ports=[("127.0.0.1", layout.ports.etcd), ("127.0.0.1", layout.ports.etcd_peer)],
    )


def apiserver(layout: Layout) -> Component:
    """Return the API server.

    It listens on the pods' bridge only: this machine and the pods reach it, the network does not.
    """
    policy = json.dumps(AUDIT_POLICY, indent=2)
    write_if_changed(layout.config / "audit-policy.yaml", policy)
    pki = layout.pki
    return Component(
        name="kube-apiserver",
        argv=[
            f"{layout.bin}/kube-apiserver",
            f"--bind-address={NODE_IP}",
            f"--advertise-address={NODE_IP}",
            f"--secure-port={layout.ports.apiserver}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            f"--etcd-servers=https://127.0.0.1:{layout.ports.etcd}",
            f"--etcd-cafile={pki}/ca.crt",
            f"--etcd-certfile={pki}/apiserver-client.crt",
            f"--etcd-keyfile={pki}/apiserver-client.key",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-client-certificate={pki}/apiserver-client.crt",
            f"--kubelet-client-key={pki}/apiserver-client.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki}/service-account.pub",
            f"--service-account-signing-key-file={pki}/service-account.key",
            f"--requestheader-client-ca-file={pki}/ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy.crt",
            f"--proxy-client-key-file={pki}/front-proxy.key",
            f"--audit-policy-file={layout.config}/audit-policy.yaml",
            f"--audit-log-path={layout.audit_log}",
            "--audit-log-maxsize=200",
            "--audit-log-maxbackup=2",
            "--profiling=false",
        ],
        inputs=[policy],
        ports=[(NODE_IP, layout.ports.apiserver)],
    )


def controller_manager(layout: Layout) -> Component:
    """Return the controller-manager, tuned for a thousand Deployments on two cores."""
    kubeconfig = f"{layout.config}/controller-manager.kubeconfig"
    return Component(
        name="kube-controller-manager",
        argv=[
            f"{layout.bin}/kube-controller-manager",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={layout.ports.controller_manager}",
            f"--root-ca-file={layout.pki}/ca.crt",
            f"--cluster-signing-cert-file={layout.pki}/ca.crt",
            f"--cluster-signing-key-file={layout.pki}/ca.key",
            f"--service-account-private-key-file={layout.pki}/service-account.key",
            "--use-service-account-credentials=true",
            f"--cluster-cidr={POD_CIDR}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            "--allocate-node-cidrs=false",
            "--leader-elect=false",
            "--concurrent-deployment-syncs=20",
            "--concurrent-replicaset-syncs=20",
            "--concurrent-service-endpoint-syncs=20",
            "--concurrent-gc-syncs=20",
            *CLIENT_QPS,
            "--profiling=false",
        ],
        ports=[("127.0.0.1", layout.ports.controller_manager)],
    )


def scheduler(layout: Layout) -> Component:
    """Return the scheduler."""
    kubeconfig = f"{layout.config}/scheduler.kubeconfig"
    return Component(
        name="kube-scheduler",
        argv=[
            f"{layout.bin}/kube-scheduler",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={layout.ports.scheduler}",
            "--leader-elect=false",
            *CLIENT_QPS,
            "--profiling=false",
        ],
        ports=[("127.0.0.1", layout.ports.scheduler)],
    )
