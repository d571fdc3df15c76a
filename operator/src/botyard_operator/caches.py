"""The latest known state of the cluster, in memory.

Watches and the responses to the operator's own writes both land here, so that a reconcile that follows a write sees it
even when the watch lags; an older version never replaces a newer one. Objects are kept as compact bytes and decoded
when a reconciler asks: with thousands of Bots most of them are never looked at again.

Secrets that nothing refers to and that are no children are kept without their data.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from botyard.contract import names
from botyard_operator import resources
from botyard_operator.annotations import CHANGED_AT
from botyard_operator.compact import Codec
from botyard_operator.reconcile.base import JsonObject, Key
from botyard_operator.references import references

OWN_KINDS = frozenset({"Bundle", "Bot", "Persona"})
_WITH_DATA = frozenset({"Secret", "ConfigMap"})
_DROPPED_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)


class Listener(Protocol):
    """Told about every change of the caches."""

    def __call__(self, key: Key, before: JsonObject | None, after: JsonObject | None, *, own: bool) -> None:
        """`key` changed from `before` to `after` (None: it does not exist); `own`: by the operator's own write."""


class _Held(NamedTuple):
    """An object as it is kept."""

    version: int
    encoded: bytes
    codec: Codec


class Caches:
    """Objects by kind, namespace and name, with the indices that map a change to what it concerns."""

    def __init__(self, listener: Listener | None = None) -> None:
        self.listener = listener
        self._objects: dict[str, dict[tuple[str, str], _Held]] = defaultdict(dict)
        self._codecs: dict[tuple[str, bool], Codec] = defaultdict(Codec)
        """By kind, and whether it is a child of a Bot: those have little in common with other objects."""
        self._stubs: set[Key] = set()
        self._changed_at: dict[Key, str] = {}
        self._children: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._references: dict[Key, frozenset[Key]] = {}
        self._dependents: dict[Key, set[Key]] = defaultdict(set)

    def get(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """Return the object, or None when it does not exist."""
        held = self._objects[kind].get((namespace, name))
        return None if held is None else _decode(kind, held)

    def list(self, kind: str, namespace: str | None = None) -> Iterator[JsonObject]:
        """Return all objects of a kind, of one namespace or of all."""
        for (place, _), held in list(self._objects[kind].items()):
            if namespace is None or place == namespace:
                yield _decode(kind, held)

    def keys(self, kind: str) -> Iterator[Key]:
        """Return the keys of all objects of a kind."""
        for namespace, name in list(self._objects[kind]):
            yield Key(kind, namespace, name)

    def count(self, kind: str) -> int:
        """Return how many objects of a kind exist."""
        return len(self._objects[kind])

    def children(self, owner: Key, kind: str) -> Iterator[JsonObject]:
        """Return the objects of `kind` that carry `owner`'s Bot label."""
        for name in self._children.get((kind, owner.namespace, owner.name), ()):
            obj = self.get(kind, owner.namespace, name)
            if obj is not None:
                yield obj

    def dependents(self, target: Key) -> Iterable[Key]:
        """Return the keys whose specs refer to `target`."""
        return tuple(sorted(self._dependents.get(target, ())))

    def is_referenced(self, target: Key) -> bool:
        """Whether any spec refers to `target`."""
        return bool(self._dependents.get(target))

    def _is_read(self, key: Key) -> bool:
        """Whether a reconciler reads this Secret or ConfigMap."""
        return self.is_referenced(key) or key.name == names.PRICES_NAME

    def version(self, key: Key) -> int | None:
        """Return the resource version of a held object, or None when it is not held."""
        held = self._objects[key.kind].get((key.namespace, key.name))
        return None if held is None else held.version

    def changed_at(self, key: Key) -> str | None:
        """Return when a mounted ConfigMap last changed, as its annotation has it; None: not since pods mounted it."""
        return self._changed_at.get(key)

    def put(self, kind: str, obj: JsonObject, *, own: bool = False) -> bool:
        """Take over an object that a watch or a write returned.

        Args:
            kind: The object's kind (lists leave it out of their items).
            obj: The object as the API serves it.
            own: Whether it answers a write of the operator itself.

        Returns:
            Whether it was newer than what was held.
        """
        metadata = obj["metadata"]
        key = Key(kind, metadata.get("namespace", ""), metadata["name"])
        version = resource_version(obj)
        keep_data = kind not in _WITH_DATA or bot_label(obj) is not None or self._is_read(key)
        held = self.version(key)
        completes = keep_data and key in self._stubs
        if held is not None and (version < held or (version == held and not completes)):
            return False
        before = self.get(kind, key.namespace, key.name)
        if before is not None:
            self._unindex(key, before)
        codec = self._codecs[kind, bot_label(obj) is not None]
        encoded = codec.encode(trim(kind, obj, keep_data=keep_data))
        self._objects[kind][(sys.intern(key.namespace), key.name)] = _Held(version, encoded, codec)
        if keep_data:
            self._stubs.discard(key)
        else:
            self._stubs.add(key)
        self._index(key, obj)
        if self.listener is not None:
            self.listener(key, before, obj, own=own)
        return True

    def remove(self, key: Key, version: int | None = None) -> bool:
        """Forget an object that was deleted.

        Args:
            key: The object.
            version: Resource version of its deletion; an object that was made anew since is kept.

        Returns:
            Whether it was held.
        """
        held = self.version(key)
        if held is None or (version is not None and held > version):
            return False
        before = _decode(key.kind, self._objects[key.kind].pop((key.namespace, key.name)))
        self._stubs.discard(key)
        self._unindex(key, before)
        if self.listener is not None:
            self.listener(key, before, None, own=False)
        return True

    def is_stub(self, key: Key) -> bool:
        """Whether a Secret or ConfigMap is held without its data."""
        return key in self._stubs

    def _index(self, key: Key, obj: JsonObject) -> None:
        changed_at = (obj["metadata"].get("annotations") or {}).get(CHANGED_AT)
        if changed_at is not None:
            self._changed_at[key] = changed_at
        bot = bot_label(obj)
        if bot is not None and key.kind not in OWN_KINDS:
            place = (key.kind, sys.intern(key.namespace), sys.intern(bot))
            # Almost always one or two: a tuple takes a fraction of a set.
            self._children[place] = tuple(sorted({*self._children.get(place, ()), key.name}))
        if key.kind in OWN_KINDS:
            targets = references(obj)
            self._references[key] = targets
            for target in targets:
                self._dependents[target].add(key)

    def _unindex(self, key: Key, obj: JsonObject) -> None:
        self._changed_at.pop(key, None)
        bot = bot_label(obj)
        if bot is not None and key.kind not in OWN_KINDS:
            place = (key.kind, key.namespace, bot)
            left = tuple(name for name in self._children.get(place, ()) if name != key.name)
            if left:
                self._children[place] = left
            else:
                self._children.pop(place, None)
        for target in self._references.pop(key, ()):
            self._dependents[target].discard(key)
            if not self._dependents[target]:
                del self._dependents[target]


def bot_label(obj: JsonObject) -> str | None:
    """Return the Bot that an object carries in its label, or None."""
    value = (obj.get("metadata", {}).get("labels") or {}).get(names.LABEL_BOT)
    return value if isinstance(value, str) else None


def trim(kind: str, obj: JsonObject, *, keep_data: bool = True) -> JsonObject:
    """Return a copy without what no reconciler reads (managed fields, pod specs, data of foreign Secrets)."""
    metadata = {field: value for field, value in obj["metadata"].items() if field != "managedFields"}
    noted = metadata.get("annotations")
    if noted:
        metadata["annotations"] = {name: value for name, value in noted.items() if name not in _DROPPED_ANNOTATIONS}
    dropped = {"apiVersion", "kind"}
    if kind == "Pod":
        dropped.add("spec")
    if not keep_data:
        dropped |= {"data", "binaryData"}
    result = {field: value for field, value in obj.items() if field not in dropped}
    result["metadata"] = metadata
    return result


def resource_version(obj: JsonObject) -> int:
    """Return the resource version as the number it is: it grows in order (documented since Kubernetes 1.35)."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def _decode(kind: str, held: _Held) -> JsonObject:
    return {"apiVersion": resources.of(kind).api_version, "kind": kind, **held.codec.decode(held.encoded)}
