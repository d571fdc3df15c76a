"""Configuration of the components: what a small machine and a shared one need."""

import json
from pathlib import Path

import pytest

from localcluster import cgroups, controlplane, node
from localcluster.cgroups import group_name, hierarchies
from localcluster.containerd import containerd_config
from localcluster.dns import corefile, manifests
from localcluster.layout import DNS_SERVICE_IP, Layout, write_if_changed


def test_everything_a_component_writes_lies_in_the_state_folder(layout: Layout) -> None:
    config = containerd_config(layout, pause_image="localhost/pause:1", cni=Path("/usr/lib/cni"))
    for line in config.splitlines():
        if line.startswith(("root =", "state =")):
            assert str(layout.state) in line
    assert str(layout.state) in node.kubelet_config(layout)["podLogsDir"]


def test_the_audit_log_has_all_writes_and_no_reads() -> None:
    rules = controlplane.AUDIT_POLICY["rules"]
    assert rules[0] == {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]}
    assert rules[1:] == [{"level": "None"}]


def test_images_that_cannot_be_pulled_again_are_never_collected(layout: Layout) -> None:
    assert node.kubelet_config(layout)["imageGCHighThresholdPercent"] == 100


@pytest.mark.parametrize(("file", "weight"), [("cpu.shares", "16384"), ("cpu.weight", "1600")])
def test_pods_do_not_starve_on_a_busy_machine(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, weight: str
) -> None:
    group = tmp_path / "hierarchy" / group_name(layout)
    group.mkdir(parents=True)
    (group / file).write_text("100")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path / "hierarchy"])
    cgroups.ensure_group(layout)
    assert (group / file).read_text() == weight


def test_two_clusters_have_two_control_groups(layout: Layout, tmp_path: Path) -> None:
    other = Layout(project=layout.project, state=tmp_path / "other", cache=layout.cache)
    assert group_name(layout) != group_name(other)
    assert node.kubelet_config(layout)["cgroupRoot"] == f"/{group_name(layout)}"


def test_joint_controllers_of_cgroup_v1_count_once(tmp_path: Path) -> None:
    for name in ("cpu,cpuacct", "memory"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    assert hierarchies(tmp_path) == [tmp_path / "cpu,cpuacct", tmp_path / "memory"]


def test_cgroup_v2_is_one_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "system.slice").mkdir()
    (tmp_path / "system.slice/cgroup.procs").touch()
    assert hierarchies(tmp_path) == [tmp_path]


def test_a_component_is_restarted_for_another_configuration_only(layout: Layout) -> None:
    assert node.kubelet(layout).version == node.kubelet(layout).version
    assert controlplane.apiserver(layout).inputs == [json.dumps(controlplane.AUDIT_POLICY, indent=2)]


@pytest.mark.parametrize(("upstream", "forwards"), [(["192.0.2.53"], True), ([], False)])
def test_names_outside_of_the_cluster_are_forwarded_where_there_is_a_resolver(
    upstream: list[str], forwards: bool
) -> None:
    assert ("forward . /etc/resolv.conf" in corefile(upstream)) is forwards


def test_dns_runs_restricted_behind_the_address_that_pods_know() -> None:
    objects = {path.rpartition("/")[2]: manifest for path, manifest in manifests("localhost/coredns:1", [])}
    assert objects["kube-dns"]["spec"]["clusterIP"] == DNS_SERVICE_IP
    pod = manifests("localhost/coredns:1", [])[-1][1]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_file_is_written_only_when_its_content_changes(tmp_path: Path) -> None:
    path = tmp_path / "folder/file"
    assert write_if_changed(path, "a", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not write_if_changed(path, "a")
    assert write_if_changed(path, "b")
    assert list(path.parent.iterdir()) == [path]
