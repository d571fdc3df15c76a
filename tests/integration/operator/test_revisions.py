"""Which revision a Bot runs: pinned, of another namespace's Bundle, and taken back when it fails."""

from typing import Any

import pytest

from botyard_operator import resources
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import DIGEST, REVISION, World

pytestmark = pytest.mark.usefixtures("operator")

NEWER = "main@sha1:" + "2d" * 20
NEWER_DIGEST = "sha256:" + "b2" * 32
WORDS = "botyard: ModuleNotFoundError: No module named 'stripe_client'"


def _artifact(revision: str, digest: str) -> dict[str, Any]:
    url = f"http://artifacts.example.com/v1/artifacts/{digest[7:]}.tar.gz"
    return {"revision": revision, "digest": digest, "url": url, "size": 1, "lastUpdateTime": "2026-01-01T00:00:00Z"}


def _history(world: World, *entries: tuple[str, str], bundle: str = "repairs") -> None:
    """Say in the Bundle's status that it keeps these revisions, the newest first."""
    kept = [_artifact(*entry) for entry in entries]
    world.patch("Bundle", bundle, {"status": {"artifact": kept[0], "history": kept}}, subresource="status")


def _template(world: World) -> dict[str, Any]:
    template: dict[str, Any] = (world.get("Deployment", "repairs") or {})["spec"]["template"]
    return template


def _runs(world: World, revision: str) -> bool:
    if world.get("Deployment", "repairs") is None:
        return False
    return bool(_template(world)["metadata"]["annotations"]["botyard.dev/revision"] == revision)


def _crashes(world: World, deployment: str = "repairs") -> None:
    """Say what a Deployment's controller and the kubelet say of a revision that cannot be imported."""
    found = world.await_object("Deployment", deployment)
    template = found["spec"]["template"]
    name = "repairs-crashing"
    if world.get("Pod", name) is None:
        world.create(
            "Pod",
            name,
            metadata={
                "name": name,
                "namespace": world.namespace,
                "labels": {"botyard.dev/bot": "repairs"},
                "annotations": template["metadata"]["annotations"],
            },
            spec={"containers": [{"name": "supervisor", "image": "registry.example.com/x:1"}]},
        )
    ended = {"exitCode": 3, "reason": "Error", "message": WORDS}
    container = {
        "name": "supervisor",
        "image": "x",
        "imageID": "x",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": ended},
    }
    world.patch("Pod", name, {"status": {"phase": "Running", "containerStatuses": [container]}}, subresource="status")
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    status = {
        "observedGeneration": found["metadata"]["generation"],
        "replicas": 2,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "conditions": [late],
    }
    world.patch("Deployment", deployment, {"status": status}, subresource="status")


def test_a_pin_that_the_bundle_does_not_keep_says_what_there_is(world: World) -> None:
    world.ready_bot()
    world.patch("Bot", "repairs", {"spec": {"bundleRef": {"revision": NEWER}}})
    stalled = world.await_condition("Bot", "repairs", "Stalled", "True", "RevisionNotFound")
    assert REVISION in stalled["message"]
    assert world.condition("Bot", "repairs", "Ready")["status"] == "True"  # type: ignore[index]
    _history(world, (NEWER, NEWER_DIGEST), (REVISION, DIGEST))
    world.await_condition("Bot", "repairs", "Stalled", None)
    assert _runs(world, NEWER)


def test_a_revision_that_crashes_is_taken_back_and_tried_again_when_asked_for(world: World) -> None:
    world.ready_bot()
    eventually(lambda: (world.get("Bot", "repairs") or {})["status"].get("goodRevision"), "the first one is good")
    _history(world, (NEWER, NEWER_DIGEST), (REVISION, DIGEST))
    eventually(lambda: _runs(world, NEWER), "the newest revision rolls out")
    _crashes(world)
    eventually(lambda: _runs(world, REVISION), "the Deployment goes back")
    world.client.request("DELETE", resources.of("Pod").path(world.namespace, "repairs-crashing"))
    world.patch("Bot", "repairs", {"metadata": {"annotations": {"botyard.dev/requestedAt": "now"}}})
    eventually(lambda: _runs(world, NEWER), "it is tried again")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Stalled", None)


@pytest.fixture
def platform(world: World) -> World:
    """Another namespace, with a Bundle."""
    name = f"{world.namespace}-platform"
    world.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    other = World(world.server, name)
    other.bundle()
    return other


def test_a_bundle_of_another_namespace_must_admit_the_bots_own(world: World, platform: World) -> None:
    world.create("Bot", "repairs", spec={"bundleRef": {"name": "repairs", "namespace": platform.namespace}})
    refused = world.await_condition("Bot", "repairs", "Ready", "False", "BundleNotAllowed")
    assert "spec.allowedNamespaces" in refused["message"]
    platform.patch("Bundle", "repairs", {"spec": {"allowedNamespaces": {"from": "All"}}})
    world.await_object("Deployment", "repairs")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Ready", "True")
    platform.bundle_artifact(revision=NEWER, digest=NEWER_DIGEST)
    eventually(lambda: _runs(world, NEWER), "a new revision of it reaches the Bot")


def test_a_bundle_may_admit_namespaces_by_their_labels(world: World, platform: World) -> None:
    selector = {"matchLabels": {"team": "shop"}}
    platform.patch("Bundle", "repairs", {"spec": {"allowedNamespaces": {"from": "Selector", "selector": selector}}})
    world.create("Bot", "repairs", spec={"bundleRef": {"name": "repairs", "namespace": platform.namespace}})
    world.await_condition("Bot", "repairs", "Ready", "False", "BundleNotAllowed")
    path = resources.of("Namespace").path("", world.namespace)
    labels = {"metadata": {"labels": {"team": "shop"}}}
    world.client.request("PATCH", path, body=labels, content_type="application/merge-patch+json")
    world.await_object("Deployment", "repairs")
