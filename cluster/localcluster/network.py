"""The node's network: a bridge for the pods, masquerading for what leaves the machine, and the CNI configuration.

NetworkPolicy objects are accepted and not enforced: the CNI bridge plugin knows nothing of them.
"""

import ipaddress
import json
from pathlib import Path

from localcluster.commands import run, succeeds
from localcluster.errors import ClusterError
from localcluster.layout import BRIDGE, NODE_IP, POD_CIDR, SERVICE_CIDR, Layout, write_if_changed

NFT_TABLE = "botyard-cluster"
CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE_CALLS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def ensure_network(layout: Layout) -> None:
    """Make the bridge, forwarding and masquerading what they must be.

    Raises:
        ClusterError: The addresses are in use elsewhere, or the kernel lacks what Services need.
    """
    ensure_bridge()
    if FORWARDING.read_text().strip() != "1":
        FORWARDING.write_text("1")
    # Without it, answers between two pods of the bridge bypass the address translation of Services.
    if not BRIDGE_CALLS.exists() and not succeeds(["modprobe", "br_netfilter"]):
        raise ClusterError(
            "The kernel module br_netfilter is missing, and Services need it. "
            "Load it (modprobe br_netfilter), then run the command again."
        )
    if BRIDGE_CALLS.read_text().strip() != "1":
        BRIDGE_CALLS.write_text("1")
    if not succeeds(["nft", "list", "table", "ip", NFT_TABLE]):
        run(["nft", "-f", "-"], text=masquerade_rules())
    write_if_changed(layout.config / "cni" / "10-botyard.conflist", cni_config(layout))


def ensure_bridge() -> None:
    """Create the bridge with the node's address where it is missing."""
    links = json.loads(run(["ip", "-json", "-4", "address"]))
    bridge = next((link for link in links if link["ifname"] == BRIDGE), None)
    addresses = [] if bridge is None else [info["local"] for info in bridge.get("addr_info", [])]
    if bridge is not None and addresses == [NODE_IP] and "UP" in bridge["flags"]:
        return
    check_routes(run(["ip", "-json", "-4", "route"]))
    prefix = ipaddress.ip_network(POD_CIDR).prefixlen
    if not succeeds(["ip", "link", "show", BRIDGE]):
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "address", "replace", f"{NODE_IP}/{prefix}", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])


def check_routes(routes: str) -> None:
    """Make sure that nobody else uses the cluster's addresses.

    Args:
        routes: What `ip -json -4 route` prints.

    Raises:
        ClusterError: A route of another interface overlaps.
    """
    ours = [ipaddress.ip_network(POD_CIDR), ipaddress.ip_network(SERVICE_CIDR)]
    for route in json.loads(routes):
        if route["dst"] == "default" or route.get("dev") == BRIDGE:
            continue
        network = ipaddress.ip_network(route["dst"], strict=False)
        for own in ours:
            if network.overlaps(own):
                raise ClusterError(
                    f"The route {route['dst']} of interface {route.get('dev')} overlaps the cluster's {own}. "
                    "Stop what owns that interface (another cluster or a VPN), then run the command again."
                )


def masquerade_rules() -> str:
    """Return the nftables table that lets pods reach the world behind this machine."""
    return (
        f"table ip {NFT_TABLE} {{\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat + 10;\n"
        f"    ip saddr {POD_CIDR} ip daddr != {POD_CIDR} ip daddr != {SERVICE_CIDR} masquerade\n"
        "  }\n"
        "}\n"
    )


def cni_config(layout: Layout) -> str:
    """Return the CNI configuration: bridge with host-local addresses that live in the state folder."""
    document = {
        "cniVersion": "1.0.0",
        "name": "botyard",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "hairpinMode": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": f"{layout.state}/cni",
                    "ranges": [[{"subnet": POD_CIDR, "gateway": NODE_IP}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }
    return json.dumps(document, indent=2)


def cni_folder() -> Path:
    """Return the folder with the CNI plugins.

    Raises:
        ClusterError: There is none.
    """
    for folder in CNI_FOLDERS:
        if all((folder / plugin).exists() for plugin in ("bridge", "host-local", "loopback")):
            return folder
    raise ClusterError("The CNI plugins are missing (Debian package containernetworking-plugins).")


def remove_network() -> None:
    """Take away bridge, masquerading and kube-proxy's rules."""
    for family, table in (("ip", NFT_TABLE), ("ip", "kube-proxy"), ("ip6", "kube-proxy")):
        if succeeds(["nft", "list", "table", family, table]):
            run(["nft", "delete", "table", family, table])
    if succeeds(["ip", "link", "show", BRIDGE]):
        run(["ip", "link", "delete", BRIDGE])
