"""A namespace with the objects that the tests of the operator are about, and its view of them."""

import time
from datetime import datetime
from typing import Any

from botyard_operator import resources
from tests.integration.apiserver.audit import Write
from tests.integration.apiserver.client import Client, Refused
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.process import SYSTEM_NAMESPACE
from tests.integration.operator.waiting import eventually

Object = dict[str, Any]
DIGEST = "sha256:" + "a1" * 32
REVISION = "main@sha1:" + "0b" * 20


class World:
    """What happens in one namespace."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.server = server
        self.client: Client = server.client
        self.namespace = namespace

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        path = resources.of(kind).path(namespace or self.namespace, name)
        try:
            return self.client.request("GET", path)
        except Refused as error:
            if error.code == 404:
                return None
            raise

    def create(self, kind: str, name: str, **content: Any) -> Object:
        resource = resources.of(kind)
        obj = {
            "apiVersion": resource.api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace},
            **content,
        }
        return self.client.request("POST", resource.path(self.namespace), body=obj)

    def patch(self, kind: str, name: str, patch: Object, *, subresource: str = "") -> Object:
        path = resources.of(kind).path(self.namespace, name, subresource)
        content_type = "application/merge-patch+json"
        return self.client.request("PATCH", path, body=patch, content_type=content_type)

    def delete(self, kind: str, name: str) -> None:
        self.client.request("DELETE", resources.of(kind).path(self.namespace, name))

    def bundle(self, name: str = "repairs", *, revision: str = REVISION, digest: str = DIGEST) -> None:
        """Create a Bundle whose status says that it is ready (suspended: its reconciler leaves it alone)."""
        spec = {"git": {"url": "https://git.example.com/bots.git"}, "suspend": True}
        self.create("Bundle", name, spec=spec)
        self.bundle_artifact(name, revision=revision, digest=digest)

    def bundle_artifact(self, name: str = "repairs", *, revision: str, digest: str) -> None:
        artifact = {
            "revision": revision,
            "digest": digest,
            "url": f"http://artifacts.example.com/v1/artifacts/{digest[7:]}.tar.gz",
            "size": 1000,
            "lastUpdateTime": "2026-01-01T00:00:00Z",
        }
        self.patch("Bundle", name, {"status": {"artifact": artifact}}, subresource="status")

    def bot(self, name: str = "repairs", bundle: str = "repairs", **spec: Any) -> Object:
        return self.create("Bot", name, spec={"bundleRef": {"name": bundle}, **spec})

    def persona(self, name: str, bot: str = "repairs", **spec: Any) -> Object:
        return self.create("Persona", name, spec={"botRef": {"name": bot}, **spec})

    def rolled_out(self, name: str = "repairs", *, ready: int | None = None) -> None:
        """Say in the Deployment's status what its controllers would say once the pods run."""
        deployment = self.await_object("Deployment", name)
        count = deployment["spec"]["replicas"] if ready is None else ready
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": count,
            "updatedReplicas": count,
            "readyReplicas": count,
            "availableReplicas": count,
        }
        self.patch("Deployment", name, {"status": status}, subresource="status")

    def running_pod(self, name: str, bot: str = "repairs") -> None:
        """Create a pod of a Bot whose kubelet says that it runs."""
        self.create(
            "Pod",
            name,
            metadata={"name": name, "namespace": self.namespace, "labels": {"botyard.dev/bot": bot}},
            spec={"containers": [{"name": "worker", "image": "registry.example.com/x:1"}]},
        )
        self.patch("Pod", name, {"status": {"phase": "Running"}}, subresource="status")

    def refreshed(self, pod: str) -> str | None:
        """Return the annotation that has the kubelet refresh a pod's volumes."""
        obj = self.get("Pod", pod)
        assert obj is not None
        value: str | None = (obj["metadata"].get("annotations") or {}).get("botyard.dev/refresh")
        return value

    def condition(self, kind: str, name: str, type_: str) -> Object | None:
        obj = self.get(kind, name) or {}
        conditions = (obj.get("status") or {}).get("conditions") or []
        return next((condition for condition in conditions if condition["type"] == type_), None)

    def await_condition(
        self, kind: str, name: str, type_: str, status: str | None, reason: str | None = None
    ) -> Object:
        """Wait until a condition has this status (None: is absent) and reason."""

        def holds() -> Object | None:
            obj = self.get(kind, name)
            if obj is None or (obj.get("status") or {}).get("observedGeneration") != obj["metadata"]["generation"]:
                return None
            found = self.condition(kind, name, type_)
            if status is None:
                return {"absent": True} if found is None else None
            if found is None or found["status"] != status or (reason and found["reason"] != reason):
                return None
            return found

        return eventually(holds, f"{kind} {name} is {type_}={status} {reason or ''}")

    def await_object(self, kind: str, name: str) -> Object:
        return eventually(lambda: self.get(kind, name), f"{kind} {name} exists")

    def ready_bot(self, name: str = "repairs", **spec: Any) -> None:
        """Create Bundle and Bot and bring the Bot to Ready."""
        self.bundle(name)
        self.bot_becomes_ready(name, **spec)

    def bot_becomes_ready(self, name: str = "repairs", **spec: Any) -> None:
        """Create a Bot of an existing Bundle and bring it to Ready."""
        self.bot(name, name, **spec)
        self.await_object("Deployment", name)
        self.rolled_out(name)
        self.await_condition("Bot", name, "Ready", "True")
        self.await_condition("Bot", name, "Reconciling", None)

    def operator_writes(self, since: datetime) -> list[Write]:
        """Return what the operator wrote in this namespace and for the routing table."""
        return [
            write
            for write in self.server.audit_writes(since)
            if write.user_agent != "botyard-tests"
            and write.resource != "leases"
            and write.namespace in (self.namespace, SYSTEM_NAMESPACE)
        ]

    def settle(self) -> None:
        """Wait until the operator has written nothing for two seconds (it debounces by less than one)."""
        eventually(lambda: not self.writes_within(2.0), "the operator has settled")

    def writes_within(self, seconds: float) -> list[Write]:
        """Return what the operator writes in the next `seconds`, while nothing else happens."""
        since = self.server.now()
        time.sleep(seconds)
        return self.operator_writes(since)
