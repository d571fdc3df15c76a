"""Filling the caches from lists, and finding what the watches missed."""

from collections.abc import AsyncIterator

import pytest

from botyard_operator import listing
from botyard_operator.caches import Caches
from botyard_operator.kube import KubeClient, load_configuration
from botyard_operator.metrics import Metrics
from botyard_operator.reconcile.base import ApiError, Key
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.world import World


@pytest.fixture
def caches() -> Caches:
    return Caches()


@pytest.fixture
async def kube(apiserver: ApiServer, caches: Caches) -> AsyncIterator[KubeClient]:
    client = KubeClient(await load_configuration(str(apiserver.kubeconfig)), caches, Metrics())
    yield client
    await client.close()


async def test_lists_are_read_page_by_page(
    world: World, kube: KubeClient, caches: Caches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    for number in range(5):
        world.create("ConfigMap", f"c{number}", data={"a": "1"})
    await listing.fill(kube, caches, [world.namespace])
    names = {key.name for key in caches.keys("ConfigMap")}
    assert {f"c{number}" for number in range(5)} <= names


async def test_only_labelled_children_are_listed(world: World, kube: KubeClient, caches: Caches) -> None:
    ports = {"spec": {"ports": [{"port": 80}]}}
    world.create("Service", "theirs", **ports)
    metadata = {"name": "ours", "namespace": world.namespace, "labels": {"botyard.dev/bot": "ours"}}
    world.create("Service", "ours", metadata=metadata, **ports)
    await listing.fill(kube, caches, [world.namespace])
    assert {key.name for key in caches.keys("Service")} == {"ours"}


async def test_a_missed_deletion_is_found_and_told(world: World, kube: KubeClient, caches: Caches) -> None:
    for name in ("stays", "goes"):
        world.create("ConfigMap", name, data={"a": "1"})
    await listing.fill(kube, caches, [world.namespace])
    world.delete("ConfigMap", "goes")
    told: list[tuple[Key, bool]] = []
    caches.listener = lambda key, before, after, *, own: told.append((key, after is None))
    assert await listing.prune(kube, caches, [world.namespace]) == 1
    assert told == [(Key("ConfigMap", world.namespace, "goes"), True)]
    assert caches.get("ConfigMap", world.namespace, "stays") is not None


async def test_what_was_made_since_the_list_is_kept(world: World, kube: KubeClient, caches: Caches) -> None:
    key = Key("ConfigMap", world.namespace, "newer")
    metadata = {"name": key.name, "namespace": key.namespace, "resourceVersion": str(10**12)}
    caches.put("ConfigMap", {"metadata": metadata})
    assert await listing.prune(kube, caches, [world.namespace]) == 0
    assert caches.get("ConfigMap", world.namespace, "newer") is not None


async def test_an_object_whose_deletion_was_heard_of_does_not_come_back_by_a_late_answer(
    world: World, kube: KubeClient, caches: Caches
) -> None:
    world.bundle("goes")
    await listing.fill(kube, caches, [world.namespace])
    key = Key("Bundle", world.namespace, "goes")
    held = caches.get("Bundle", world.namespace, "goes")
    assert held is not None
    caches.remove(key)
    assert await kube.patch_status(held, {"observedGeneration": 7}), "the write itself was in time"
    await kube.patch_metadata(key, {"annotations": {"example.com/late": "1"}})
    assert caches.get("Bundle", world.namespace, "goes") is None


async def test_other_namespaces_are_not_touched(world: World, kube: KubeClient, caches: Caches) -> None:
    metadata = {"name": "far", "namespace": "elsewhere", "resourceVersion": "1"}
    caches.put("ConfigMap", {"metadata": metadata})
    await listing.prune(kube, caches, [world.namespace])
    assert caches.get("ConfigMap", "elsewhere", "far") is not None


async def test_a_refused_write_says_what_the_server_says(world: World, kube: KubeClient) -> None:
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "Not A Name", "namespace": world.namespace},
    }
    with pytest.raises(ApiError) as caught:
        await kube.create(config_map)
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")
    assert "lowercase RFC 1123" in caught.value.message
