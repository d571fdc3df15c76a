"""The artifact tokens in a Bot's platform Secret: one for each revision that a pod may still fetch.

While a rollout is under way, a pod of the old revision may start anew (its node is drained, the pod is evicted) and
fetches the old artifact. ReplicaSets are not watched: what a pod fetches is read from its annotation, and until the
rollout is complete nothing is taken away that the Secret has, because a ReplicaSet may be about to make a pod anew.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence

from botyard.contract import names
from botyard_operator.annotations import ARTIFACT_DIGEST, DRAINING_DIGEST, DRAINING_LAYER_DIGEST, LAYER_DIGEST
from botyard_operator.artifacts.tokens import token_for
from botyard_operator.builders.secret import token_entry
from botyard_operator.reconcile.base import JsonObject, Key, ReadCaches
from botyard_operator.reconcile.ownership import owned
from botyard_operator.reconcile.rollout import observe

_MOST_HELD = 8
"""Tokens without a pod that are kept during a rollout: one that never completes must not let the Secret grow. A pod
that comes up without its token waits for the mount, its annotation brings the token back, and the kubelet goes on."""


def tokens_in_use(
    bot: Key, uid: str, wanted: Sequence[str], live: JsonObject | None, *, caches: ReadCaches, artifact_key: bytes
) -> Mapping[str, bytes]:
    """Return the tokens by their entry in the platform Secret.

    Args:
        bot: The Bot.
        uid: The Bot's uid: a Secret of the same name that is somebody else's gives nothing.
        wanted: Artifacts that the newest pods are to fetch: the code's first.
        live: The Bot's Deployment as it is, or None.
        caches: Where pods and the Secret are read.
        artifact_key: The installation's key, from which tokens are derived.
    """
    kept: dict[str, bytes] = {}
    if live is not None and not (observe(live, ()).complete and next(_of(live["spec"]["template"]), None) == wanted[0]):
        held = dict(_held(bot, uid, caches))
        if len(held) <= _MOST_HELD:
            kept = held
    used = {*wanted, *_digests(bot, live, caches)}
    return kept | {token_entry(each): token_for(artifact_key, each).encode() for each in sorted(used)}


def _held(bot: Key, uid: str, caches: ReadCaches) -> Iterator[tuple[str, bytes]]:
    secret = caches.get("Secret", bot.namespace, names.platform_name(bot.name))
    if secret is None or not owned(secret, uid):
        return
    for entry, value in (secret.get("data") or {}).items():
        if entry.startswith(names.ARTIFACT_TOKEN_FILE):
            try:
                yield entry, base64.b64decode(value, validate=True)
            except binascii.Error:
                continue


def _digests(bot: Key, live: JsonObject | None, caches: ReadCaches) -> Iterator[str]:
    if live is not None:
        yield from _of(live["spec"]["template"])
    for pod in caches.children(bot, "Pod"):
        if not pod["metadata"].get("deletionTimestamp"):
            yield from _of(pod)


def _of(pod: JsonObject) -> Iterator[str]:
    """Return what a pod fetches: its code, and then its layer, and those of a revision that it drains."""
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    for name in (ARTIFACT_DIGEST, LAYER_DIGEST, DRAINING_DIGEST, DRAINING_LAYER_DIGEST):
        value = annotations.get(name)
        if isinstance(value, str) and value.startswith("sha256:"):
            yield value
