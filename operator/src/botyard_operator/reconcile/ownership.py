"""Applying children: only what differs, and never over somebody else's object."""

from __future__ import annotations

from collections.abc import Iterable

from botyard.contract import names
from botyard_operator.api.reasons import Reason
from botyard_operator.builders.drift import drifted
from botyard_operator.reconcile.base import ApiError, Context, JsonObject, Key
from botyard_operator.reconcile.problems import Blocked, Problem, namespace_terminating, refused


def key_of(obj: JsonObject) -> Key:
    """Return the key of an object that carries its kind."""
    return Key(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])


def owned(obj: JsonObject, owner_uid: str) -> bool:
    """Whether the object with this uid is the controller of `obj`."""
    references = obj["metadata"].get("ownerReferences") or ()
    return any(reference.get("uid") == owner_uid and reference.get("controller") for reference in references)


def orphaned(obj: JsonObject, owner: Key) -> bool:
    """Whether `obj` was made for an owner of this name and has none any more (`kubectl delete --cascade=orphan`)."""
    metadata = obj["metadata"]
    found = metadata.get("labels") or {}
    controlled = any(reference.get("controller") for reference in metadata.get("ownerReferences") or ())
    made_here = found.get("app.kubernetes.io/managed-by") == "botyard" and found.get(names.LABEL_BOT) == owner.name
    return made_here and not controlled and not metadata.get("deletionTimestamp")


async def apply_changed(wanted: Iterable[JsonObject], owner: Key, owner_uid: str, ctx: Context) -> list[Key]:
    """Apply those of `wanted` that differ from what exists.

    Returns:
        The keys that were written.

    Raises:
        Blocked: An object of that name belongs to somebody else, or the API server refuses one.
        RetryLater: The API server did not answer.
    """
    written: list[Key] = []
    for obj in wanted:
        key = key_of(obj)
        live = ctx.caches.get(key.kind, key.namespace, key.name)
        if live is not None:
            if not owned(live, owner_uid) and not orphaned(live, owner):
                raise Blocked(_conflict(key, owner, live))
            if not drifted(obj, live):
                continue
        try:
            if live is not None:
                answer = await ctx.kube.apply(obj)
                if answer["metadata"].get("resourceVersion") == live["metadata"].get("resourceVersion"):
                    continue  # The API server writes a value in other words: nothing changed.
            else:
                await _apply_new(obj, key, owner, owner_uid, ctx)
        except ApiError as error:
            if namespace_terminating(error):
                return written
            raise Blocked(refused(error, str(key))) from error
        written.append(key)
    return written


async def _apply_new(obj: JsonObject, key: Key, owner: Key, owner_uid: str, ctx: Context) -> None:
    """Apply an object that the caches do not hold.

    Most kinds are watched by the Bot's label only: somebody else's object of that name, without the label, is
    invisible. Applying without force brings it to light, because selectors cannot be merged.
    """
    try:
        await ctx.kube.apply(obj, force=False)
    except ApiError as error:
        if error.status != 409:
            raise
    else:
        return
    hidden = await ctx.kube.get(key)
    if hidden is not None and not owned(hidden, owner_uid):
        raise Blocked(_conflict(key, owner, hidden))
    await ctx.kube.apply(obj)


async def delete_unwanted(kind: str, kept: set[str], owner: Key, owner_uid: str, ctx: Context) -> None:
    """Delete the owner's children of a kind whose names are not in `kept`."""
    for obj in ctx.caches.children(owner, kind):
        if obj["metadata"]["name"] not in kept and owned(obj, owner_uid):
            await ctx.kube.delete(key_of(obj), uid=obj["metadata"]["uid"])


def _conflict(key: Key, owner: Key, found: JsonObject) -> Problem:
    references = found["metadata"].get("ownerReferences") or ()
    if any(
        (each.get("kind"), each.get("name"), each.get("controller")) == (owner.kind, owner.name, True)
        for each in references
    ):
        message = f"{key.kind} {key.name} of a former {owner.kind} {owner.name} is being deleted"
        return Problem(Reason.PROGRESSING, message, retry=True)
    message = (
        f"{key.kind} {key.name} exists in namespace {key.namespace} and does not belong to {owner.kind} {owner.name}: "
        f"delete or rename it, or give the {owner.kind} another name"
    )
    return Problem(Reason.CONFLICT, message, stalled=True, retry=True)
