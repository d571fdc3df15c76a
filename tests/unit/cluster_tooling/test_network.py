"""The cluster's addresses collide with nobody's."""

import json

import pytest

from localcluster.errors import ClusterError
from localcluster.layout import NODE_IP, POD_CIDR, Layout
from localcluster.network import check_routes, cni_config, masquerade_rules
from localcluster.node import upstream_nameservers


def routes(*entries: tuple[str, str]) -> str:
    return json.dumps([{"dst": destination, "dev": device} for destination, device in entries])


def test_other_networks_are_in_nobodys_way() -> None:
    check_routes(routes(("default", "eth0"), ("192.0.2.0/24", "eth0"), ("10.8.0.0/16", "tun0"), ("10.0.0.1", "eth0")))


def test_the_own_bridge_is_no_collision() -> None:
    check_routes(routes((POD_CIDR, "botyard0")))


@pytest.mark.parametrize("destination", ["10.244.0.0/16", "10.244.1.7", "10.96.0.0/12", "10.0.0.0/8"])
def test_an_overlapping_route_is_named(destination: str) -> None:
    with pytest.raises(ClusterError, match=f"{destination} of interface cni0"):
        check_routes(routes((destination, "cni0")))


def test_pods_get_addresses_of_the_bridge(layout: Layout) -> None:
    (bridge,) = json.loads(cni_config(layout))["plugins"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": POD_CIDR, "gateway": NODE_IP}]]
    assert bridge["ipam"]["dataDir"].startswith(str(layout.state))


def test_only_what_leaves_the_cluster_is_masqueraded() -> None:
    assert f"ip saddr {POD_CIDR} ip daddr != {POD_CIDR}" in masquerade_rules()


def test_pods_are_not_sent_to_a_resolver_on_the_machines_loopback() -> None:
    text = "nameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\noptions edns0\n"
    assert upstream_nameservers(text) == ["192.0.2.53"]
