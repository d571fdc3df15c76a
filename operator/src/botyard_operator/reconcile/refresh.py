"""Making a changed ConfigMap, or a changed key of a model provider, reach running processes at once.

The kubelet refreshes mounted ConfigMaps about once a minute, and at once when the pod itself changes. So every mounted
ConfigMap carries the time of its last change, and pods that are older than the newest change carry an annotation that
names all of those times; where it names others, the pod is touched. That holds whoever wrote the ConfigMap and when: an
operator that ends between the two writes leaves the second one to the next reconcile. A pod that was made after the
change mounted the newest content and needs no write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from botyard.contract import names
from botyard_operator.annotations import CHANGED_AT
from botyard_operator.reconcile.base import ApiError, Context, JsonObject, Key, ReadCaches
from botyard_operator.reconcile.problems import Problem, refused

SKEW = timedelta(seconds=2)
"""How far the clocks of the operator and the API server may be apart. Pods tell their age in whole seconds, too."""


def read_live(child: JsonObject) -> bool:
    """Whether the pods of a Bot read this child of it again while they run."""
    if child["kind"] == "Secret":
        bot = child["metadata"]["labels"][names.LABEL_BOT]
        return bool(child["metadata"]["name"] == names.model_keys_name(bot))
    return bool(child["kind"] == "ConfigMap")


def dated(obj: JsonObject, *, bot: Key, caches: ReadCaches, now: datetime) -> JsonObject:
    """Return an object with the time of its last change: the one that it has, or `now` where its content differs.

    Args:
        obj: What is to be applied, and read live by pods.
        bot: The Bot whose pods mount it.
        caches: The object and the pods as they are.
        now: Time of this reconcile.
    """
    metadata = obj["metadata"]
    live = caches.get(obj["kind"], metadata["namespace"], metadata["name"])
    if live is not None and (live.get("data") or {}) == (obj.get("data") or {}):
        changed = (live["metadata"].get("annotations") or {}).get(CHANGED_AT)
    elif live is None and _required(bot, metadata["name"]) and not any(_touchable(bot, caches)):
        changed = None  # No pod starts without it: whichever does has this content.
    else:
        changed = now.astimezone(UTC).isoformat()
    if changed is None:
        return obj
    marked = {**(metadata.get("annotations") or {}), CHANGED_AT: changed}
    return {**obj, "metadata": {**metadata, "annotations": marked}}


async def refresh_pods(bot: Key, ctx: Context) -> Problem | None:
    """Touch the running pods of a Bot that may have mounted less than the newest content of its ConfigMaps.

    Returns:
        What refuses it, or None. The kubelet then refreshes them within about a minute.

    Raises:
        RetryLater: The API server did not answer.
    """
    for pod, mark in stale_pods(bot, ctx.caches):
        try:
            await ctx.kube.patch_metadata(pod, {"annotations": {names.ANNOTATION_REFRESH: mark}})
        except ApiError as error:
            return refused(error, f"the annotation {names.ANNOTATION_REFRESH} of {pod}")
    return None


def stale_pods(bot: Key, caches: ReadCaches) -> Iterator[tuple[Key, str]]:
    """Return the pods to touch, each with the value that their annotation should have."""
    times = {key.name: time for key in _mounted(bot) if (time := caches.changed_at(key))}
    if not times:
        return
    mark = _mark(times.items())
    newest = max(filter(None, map(_time, times.values())), default=None)
    for pod in _touchable(bot, caches):
        metadata = pod["metadata"]
        found = (metadata.get("annotations") or {}).get(names.ANNOTATION_REFRESH)
        if found != mark and (found is not None or not _made_after(metadata, newest)):
            yield Key("Pod", metadata["namespace"], metadata["name"]), mark


def _mounted(bot: Key) -> tuple[Key, ...]:
    shards = (names.persona_shard_name(bot.name, number) for number in range(names.PERSONA_SHARDS))
    config_maps = (names.config_map_name(bot.name), *shards)
    keys = Key("Secret", bot.namespace, names.model_keys_name(bot.name))
    return (*(Key("ConfigMap", bot.namespace, name) for name in config_maps), keys)


def _required(bot: Key, name: str) -> bool:
    # Keys are applied before any pod's template mounts them.
    return name in {
        names.config_map_name(bot.name),
        names.persona_shard_name(bot.name, 0),
        names.model_keys_name(bot.name),
    }


def _touchable(bot: Key, caches: ReadCaches) -> Iterator[JsonObject]:
    for pod in caches.children(bot, "Pod"):
        running = (pod.get("status") or {}).get("phase") == "Running"
        if running and not pod["metadata"].get("deletionTimestamp"):
            yield pod


def _mark(times: Iterable[tuple[str, str]]) -> str:
    text = "\n".join(f"{name}={time}" for name, time in sorted(times))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _made_after(metadata: JsonObject, newest: datetime | None) -> bool:
    made = _time(metadata.get("creationTimestamp"))
    return newest is None or (made is not None and made > newest + SKEW)


def _time(text: object) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else None
