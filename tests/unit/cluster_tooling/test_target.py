"""KUBECONFIG decides which cluster is used; nothing else does."""

from dataclasses import replace
from pathlib import Path

import pytest

from localcluster.errors import ClusterError
from localcluster.layout import Layout
from localcluster.target import Target, classify, find_target


def test_without_kubeconfig_the_local_cluster_is_meant(layout: Layout) -> None:
    assert find_target(layout, {}) == Target("local", "", layout)
    assert find_target(layout, {"KUBECONFIG": ""}) == Target("local", "", layout)


def test_the_local_clusters_own_kubeconfig_means_it_too(layout: Layout) -> None:
    assert find_target(layout, {"KUBECONFIG": str(layout.kubeconfig)}).kind == "local"


def test_another_checkouts_cluster_is_used_with_its_own_containerd(layout: Layout, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "containerd.sock").touch()
    found = find_target(layout, {"KUBECONFIG": str(other / "kubeconfig")})
    assert found == Target("local", "", replace(layout, state=other))


def test_a_kubeconfig_that_does_not_exist_is_told(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"does not exist\. Correct it, or unset it"):
        find_target(layout, {"KUBECONFIG": str(tmp_path / "missing")})


@pytest.mark.parametrize(
    ("context", "kind", "cluster"),
    [
        ("kind-dev", "kind", "dev"),
        ("k3d-dev", "k3d", "dev"),
        ("minikube", "minikube", "minikube"),
        ("docker-desktop", "docker-desktop", "docker-desktop"),
        ("arn:aws:eks:eu-west-1:1:cluster/prod", "other", "arn:aws:eks:eu-west-1:1:cluster/prod"),
    ],
)
def test_what_runs_a_cluster_shows_in_its_contexts_name(layout: Layout, context: str, kind: str, cluster: str) -> None:
    assert classify(context) == kind
    assert Target(classify(context), context, layout).cluster_name == cluster
