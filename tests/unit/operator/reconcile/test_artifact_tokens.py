"""Which artifact tokens the pods of a Bot may still need."""

import base64
from collections.abc import Mapping
from typing import Any

from botyard_operator.artifacts.tokens import token_for
from botyard_operator.caches import Caches
from botyard_operator.reconcile.artifact_tokens import tokens_in_use
from botyard_operator.reconcile.base import Key

BOT = Key("Bot", "shop", "clerk")
UID = "u-1"
SIGNING_KEY = b"k" * 32
OLD, NEW = "sha256:" + "a1" * 32, "sha256:" + "b2" * 32
OLD_ENTRY, NEW_ENTRY = "artifact-token-a1a1a1a1a1a1", "artifact-token-b2b2b2b2b2b2"
Object = dict[str, Any]


def _deployment(digest: str, *, complete: bool) -> Object:
    template = {"metadata": {"annotations": {"botyard.dev/artifact-digest": digest}}}
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1)
    if not complete:
        counts["updatedReplicas"] = 0
    return {
        "metadata": {"name": "clerk", "generation": 1},
        "spec": {"replicas": 1, "template": template},
        "status": {"observedGeneration": 1, **counts},
    }


def _secret(*entries: str, uid: str = UID) -> Object:
    return _child(
        "clerk-platform",
        ownerReferences=[{"uid": uid, "controller": True}],
        data={entry: base64.b64encode(b"held").decode() for entry in entries},
    )


def _pod(name: str, digest: str, **metadata: Any) -> Object:
    return _child(name, annotations={"botyard.dev/artifact-digest": digest}, **metadata)


def _child(name: str, data: Object | None = None, **metadata: Any) -> Object:
    labels = {"botyard.dev/bot": "clerk"}
    obj: Object = {
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": "1", "labels": labels, **metadata}
    }
    return obj if data is None else {**obj, "data": data}


def _tokens(live: Object | None, *, secret: Object | None = None, pods: tuple[Object, ...] = ()) -> Mapping[str, bytes]:
    caches = Caches()
    if secret is not None:
        caches.put("Secret", secret)
    for pod in pods:
        caches.put("Pod", pod)
    return tokens_in_use(BOT, UID, [NEW], live, caches=caches, artifact_key=SIGNING_KEY)


def test_a_new_bot_has_the_token_of_its_artifact_alone() -> None:
    assert _tokens(None) == {NEW_ENTRY: token_for(SIGNING_KEY, NEW).encode()}


def test_what_the_deployment_names_is_kept_when_a_newer_artifact_comes() -> None:
    tokens = _tokens(_deployment(OLD, complete=True))
    assert tokens == {
        OLD_ENTRY: token_for(SIGNING_KEY, OLD).encode(),
        NEW_ENTRY: token_for(SIGNING_KEY, NEW).encode(),
    }


def test_nothing_is_taken_away_while_the_rollout_is_under_way() -> None:
    tokens = _tokens(_deployment(NEW, complete=False), secret=_secret("redis-url", "artifact-token", OLD_ENTRY))
    assert set(tokens) == {"artifact-token", OLD_ENTRY, NEW_ENTRY}
    assert tokens[OLD_ENTRY] == b"held"


def test_a_complete_rollout_leaves_the_newest_token() -> None:
    assert set(_tokens(_deployment(NEW, complete=True), secret=_secret(OLD_ENTRY))) == {NEW_ENTRY}


def test_a_pod_of_an_old_revision_brings_its_token_back() -> None:
    tokens = _tokens(_deployment(NEW, complete=True), pods=(_pod("clerk-1", OLD),))
    assert tokens[OLD_ENTRY] == token_for(SIGNING_KEY, OLD).encode()


def test_a_pod_that_ends_needs_no_token() -> None:
    leaving = _pod("clerk-1", OLD, deletionTimestamp="2026-01-01T00:00:00Z")
    assert set(_tokens(_deployment(NEW, complete=True), pods=(leaving,))) == {NEW_ENTRY}


def test_rollouts_that_never_complete_do_not_let_the_secret_grow() -> None:
    many = _secret(*(f"artifact-token-{number:012x}" for number in range(9)))
    assert set(_tokens(_deployment(NEW, complete=False), secret=many)) == {NEW_ENTRY}


def test_somebody_elses_secret_gives_nothing() -> None:
    foreign = _secret(OLD_ENTRY, uid="u-2")
    assert set(_tokens(_deployment(NEW, complete=False), secret=foreign)) == {NEW_ENTRY}
