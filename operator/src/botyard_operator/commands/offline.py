"""A cluster that exists in memory only: it holds what files say, and keeps what the operator would apply."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from botyard_operator.api.bot import Bot, ModelSpec, RoleModel
from botyard_operator.api.errors import InvalidObject
from botyard_operator.caches import Caches
from botyard_operator.reconcile.base import EventType, JsonObject, Key
from botyard_operator.reconcile.bot_models import SCRIPT_ENTRY
from botyard_operator.reconcile.ownership import key_of

STAND_IN_UID = "00000000-0000-0000-0000-000000000000"
STAND_IN_ARTIFACT: Mapping[str, Any] = {
    "revision": "main@sha1:" + 40 * "0",
    "digest": "sha256:" + 64 * "0",
    "size": 0,
    "lastUpdateTime": "1970-01-01T00:00:00Z",
}
_STAND_IN_VALUE = b"stand-in"
_STAND_IN_SCRIPT = "rules:\n- reply: {text: stand-in}\n"


class OfflineCluster:
    """Objects of files behind the interface of the API server.

    Args:
        objects: The files' objects, each with a namespace.
        artifact_base_url: Where stand-ins of artifacts would lie.
    """

    def __init__(self, objects: Iterable[JsonObject], *, artifact_base_url: str) -> None:
        self.caches = Caches()
        self.applied: list[JsonObject] = []
        self.assumed: list[str] = []
        """What the files leave out and was assumed, in words."""
        self._artifact_base_url = artifact_base_url
        self._version = 0
        self._secrets: dict[tuple[str, str], dict[str, bytes]] = {}
        self._config_maps: dict[tuple[str, str], dict[str, str]] = {}
        bots = [self._take(obj) for obj in objects]
        for bot in bots:
            if bot is not None:
                self._complete(bot)

    def _take(self, obj: JsonObject) -> Bot | None:
        """Hold an object; return it if it is a Bot that can be read."""
        obj = copy.deepcopy(obj)
        kind, metadata = obj["kind"], obj["metadata"]
        metadata.setdefault("uid", STAND_IN_UID)
        metadata.setdefault("generation", 1)
        place = (metadata["namespace"], metadata["name"])
        if kind == "Secret":
            data = {name: base64.b64decode(value) for name, value in (obj.get("data") or {}).items()}
            plain = {name: str(value).encode() for name, value in (obj.get("stringData") or {}).items()}
            self._secrets[place] = data | plain
            return None
        if kind == "ConfigMap":
            self._config_maps[place] = dict(obj.get("data") or {})
            return None
        if kind == "Bundle":
            self._give_artifact(obj)
        self._hold(obj)
        try:
            return Bot.parse(obj) if kind == "Bot" else None
        except InvalidObject:
            return None  # Its reconcile will tell.

    def _hold(self, obj: JsonObject) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        self.caches.put(obj["kind"], obj)

    def _complete(self, bot: Bot) -> None:
        """Put stand-ins in the place of what the Bot refers to and no file holds."""
        namespace = bot.metadata.namespace
        wanted = bot.spec.bundle_ref
        elsewhere = wanted.namespace or namespace
        if self.caches.get("Bundle", elsewhere, wanted.name) is None:
            metadata = {"name": wanted.name, "namespace": elsewhere}
            self.assumed.append(f"Bundle {elsewhere}/{wanted.name} is not in the files")
            artifact = self._artifact()
            spec = {"git": {"url": "https://git.example.com/stand-in.git"}, "allowedNamespaces": {"from": "All"}}
            pinned = {**artifact, "revision": wanted.revision or artifact["revision"]}
            self._take({"kind": "Bundle", "metadata": metadata, "spec": spec, "status": {"artifact": pinned}})
        model = bot.spec.model
        targets: tuple[ModelSpec | RoleModel, ...] = () if model is None else (model, *model.roles.values())
        secrets = [each.secret_key_ref for each in bot.spec.credentials]
        secrets += [each.secret_ref for each in targets if each.secret_ref is not None]
        for script in (each.script for each in targets if each.script is not None):
            name = script.config_map_ref.name
            content = self._config_maps.setdefault((namespace, name), {})
            if SCRIPT_ENTRY not in content:
                content[SCRIPT_ENTRY] = _STAND_IN_SCRIPT
                self.assumed.append(f"ConfigMap {namespace}/{name} has no entry {SCRIPT_ENTRY} in the files")
        for reference in secrets:
            data = self._secrets.setdefault((namespace, reference.name), {})
            if reference.key not in data:
                data[reference.key] = _STAND_IN_VALUE
                self.assumed.append(f"Secret {namespace}/{reference.name} has no entry {reference.key} in the files")

    def _give_artifact(self, bundle: JsonObject) -> None:
        status = bundle.setdefault("status", {})
        if status.get("artifact"):
            return
        status["artifact"] = self._artifact()
        name = bundle["metadata"]
        self.assumed.append(f"Bundle {name['namespace']}/{name['name']} has no revision in the files (status.artifact)")

    def _artifact(self) -> JsonObject:
        digest = STAND_IN_ARTIFACT["digest"].removeprefix("sha256:")
        return {**STAND_IN_ARTIFACT, "url": f"{self._artifact_base_url}/v1/artifacts/{digest}.tar.gz"}

    async def apply(self, obj: JsonObject, *, force: bool = True) -> JsonObject:
        """Keep what is applied."""
        self.applied.append(copy.deepcopy(obj))
        held = copy.deepcopy(obj)
        held["metadata"]["uid"] = STAND_IN_UID
        self._hold(held)
        return held

    async def patch_status(self, current: JsonObject, status: JsonObject) -> bool:
        """Change the object's status."""
        obj = {**copy.deepcopy(current), "status": status}
        kind = next(kind for kind in ("Bundle", "Bot", "Persona") if self._is(kind, obj))
        self._hold({**obj, "kind": kind})
        return True

    def _is(self, kind: str, obj: JsonObject) -> bool:
        held = self.caches.get(kind, obj["metadata"]["namespace"], obj["metadata"]["name"])
        return held is not None and held["metadata"].get("resourceVersion") == obj["metadata"].get("resourceVersion")

    async def patch_metadata(self, key: Key, metadata: JsonObject) -> None:
        """Nothing of metadata is shown."""

    async def delete(self, key: Key, *, uid: str | None = None) -> None:
        """Forget an object."""
        self.caches.remove(key)
        self.applied = [obj for obj in self.applied if key_of(obj) != key]

    async def get(self, key: Key) -> JsonObject | None:
        """Return an object."""
        return self.caches.get(key.kind, key.namespace, key.name)

    async def select(self, kind: str, namespace: str, labels: Mapping[str, str]) -> Sequence[JsonObject]:
        """Return nothing: there are no pods."""
        return ()

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Return the data of a Secret of the files."""
        return self._secrets.get((namespace, name))

    async def config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return the data of a ConfigMap of the files."""
        return self._config_maps.get((namespace, name))

    def event(self, obj: JsonObject, type_: EventType, reason: str, message: str) -> None:
        """Events are not shown."""
