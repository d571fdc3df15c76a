"""Kubelet and kube-proxy with their configuration files."""

import json
from pathlib import Path
from typing import Any

from localcluster.cgroups import group_name
from localcluster.layout import (
    CLUSTER_DOMAIN,
    DNS_SERVICE_IP,
    MAX_PODS,
    NODE_IP,
    NODE_NAME,
    POD_CIDR,
    Layout,
    write_if_changed,
)
from localcluster.processes import Component


def kubelet_config(layout: Layout) -> dict[str, Any]:
    """Return the KubeletConfiguration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "port": layout.ports.kubelet,
        "healthzPort": layout.ports.kubelet_healthz,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{layout.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{layout.pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{layout.pki}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{group_name(layout)}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS_SERVICE_IP],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": f"{layout.config}/resolv.conf",
        "podLogsDir": f"{layout.state}/pod-logs",
        "volumePluginDir": f"{layout.state}/kubelet/volume-plugins",
        "staticPodPath": "",
        "maxPods": MAX_PODS,
        "eventRecordQPS": 100,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        # A developer's nearly full disk must not evict the cluster's pods, and images that were loaded by hand
        # cannot be pulled again, so that nothing may collect them.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        # Lowering scores needs a capability that containers and some virtual machines lack.
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": False,
        "nodeStatusReportFrequency": "5m",
        "shutdownGracePeriod": "0s",
    }


def proxy_config(layout: Layout) -> dict[str, Any]:
    """Return the KubeProxyConfiguration: nftables, and no host settings that need extra capabilities."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": f"{layout.config}/proxy.kubeconfig"},
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": NODE_NAME,
        "bindAddress": NODE_IP,
        "healthzBindAddress": f"127.0.0.1:{layout.ports.proxy_healthz}",
        "metricsBindAddress": f"127.0.0.1:{layout.ports.proxy_metrics}",
        "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "oomScoreAdj": 0,
    }


def kubelet(layout: Layout) -> Component:
    """Write the kubelet's configuration and return the component."""
    config = json.dumps(kubelet_config(layout), indent=2)
    write_if_changed(layout.config / "kubelet.yaml", config)
    return Component(
        name="kubelet",
        argv=[
            f"{layout.bin}/kubelet",
            f"--config={layout.config}/kubelet.yaml",
            f"--kubeconfig={layout.config}/kubelet.kubeconfig",
            f"--root-dir={layout.state}/kubelet",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_IP}",
            "--v=1",
        ],
        inputs=[config],
        ports=[(NODE_IP, layout.ports.kubelet), ("127.0.0.1", layout.ports.kubelet_healthz)],
    )


def proxy(layout: Layout) -> Component:
    """Write kube-proxy's configuration and return the component."""
    config = json.dumps(proxy_config(layout), indent=2)
    write_if_changed(layout.config / "proxy.yaml", config)
    return Component(
        name="kube-proxy",
        argv=[f"{layout.bin}/kube-proxy", f"--config={layout.config}/proxy.yaml"],
        inputs=[config],
        ports=[("127.0.0.1", layout.ports.proxy_healthz), ("127.0.0.1", layout.ports.proxy_metrics)],
    )


def upstream_nameservers(resolv_conf: str) -> list[str]:
    """Return the name servers that pods can reach too: those that are not on the loopback."""
    servers = [line.split()[1] for line in resolv_conf.splitlines() if line.startswith("nameserver ")]
    return [server for server in servers if not server.startswith("127.") and server != "::1"]


def write_resolv_conf(layout: Layout) -> list[str]:
    """Write the resolv.conf of pods with `dnsPolicy: Default` and return its name servers.

    Where the machine's own resolver is on the loopback, systemd-resolved knows the servers behind it.
    """
    for source in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        if source.is_file():
            servers = upstream_nameservers(source.read_text())
            if servers:
                break
    else:
        servers = []
    write_if_changed(layout.config / "resolv.conf", "".join(f"nameserver {server}\n" for server in servers))
    return servers
