"""A Bot and its surroundings in memory, reconciled as often as a test asks for it."""

import asyncio
import copy
from typing import Any

from botyard_operator.commands.offline import OfflineCluster
from botyard_operator.reconcile.base import Context, Key, Result, RetryLater
from botyard_operator.reconcile.bot import BotReconciler
from botyard_operator.settings import Settings
from tests.unit.operator.clocks import StillClock

Object = dict[str, Any]
BOT = Key("Bot", "shop", "clerk")
BASE = "http://artifacts.example.com"
SOON = 10.0
"""Seconds; a Bot that asks to be looked at later is left alone."""


def artifact(number: int) -> Object:
    """Return the artifact of one of several revisions."""
    digest = f"{number:x}" * 64
    return {
        "revision": f"main@sha1:{number:040x}",
        "digest": f"sha256:{digest}",
        "url": f"{BASE}/v1/artifacts/{digest}.tar.gz",
        "size": 1,
        "lastUpdateTime": "2026-01-01T00:00:00Z",
    }


class Space:
    """One Bot, its Bundle, and what controllers and kubelets would say."""

    def __init__(self, *revisions: int, namespace: str = "shop", bundle: Object | None = None, **spec: Any) -> None:
        self.revisions = list(revisions)
        self.bundle_namespace = namespace
        self.bundle_spec = {"git": {"url": "https://git.example.com/b.git"}, **(bundle or {})}
        bot_spec = {"bundleRef": {"name": "clerk"}, **spec}
        self.cluster = OfflineCluster([self._bot(bot_spec), self._bundle()], artifact_base_url=BASE)
        self.clock = StillClock()
        self.reconciler = BotReconciler()
        self.requeued: list[Key] = []
        self.context = Context(
            caches=self.cluster.caches,
            kube=self.cluster,
            settings=Settings(artifact_key=b"k" * 32, artifact_base_url=BASE),
            clock=self.clock,
            recorder=self.cluster,
            enqueue=lambda key, delay=0.0: self.requeued.append(key),
        )

    def _bot(self, spec: Object) -> Object:
        metadata = {
            "name": "clerk",
            "namespace": "shop",
            "uid": "00000000-0000-0000-0000-000000000000",
            "generation": 1,
        }
        return {"kind": "Bot", "metadata": metadata, "spec": spec}

    def _bundle(self) -> Object:
        history = [artifact(number) for number in self.revisions]
        metadata = {"name": "clerk", "namespace": self.bundle_namespace, "uid": "b", "generation": 1}
        status = {"artifact": history[0], "history": history}
        return {"kind": "Bundle", "metadata": metadata, "spec": self.bundle_spec, "status": status}

    def _put(self, kind: str, change: Any, namespace: str = "shop", name: str = "clerk") -> None:
        obj = copy.deepcopy(self.cluster.caches.get(kind, namespace, name))
        assert obj is not None
        change(obj)
        self.cluster._hold({**obj, "kind": kind})

    def hold(self, kind: str, name: str, **content: Any) -> None:
        """Let there be a Secret or ConfigMap that somebody wrote."""
        self.cluster._take({"kind": kind, "metadata": {"name": name, "namespace": "shop"}, **content})

    def get(self, kind: str, name: str) -> Object:
        """Return a child of the Bot."""
        found = self.cluster.caches.get(kind, "shop", name)
        assert found is not None
        return found

    def __contains__(self, place: tuple[str, str]) -> bool:
        """Whether there is a child of this kind and name."""
        return self.cluster.caches.get(place[0], "shop", place[1]) is not None

    def publish(self, *revisions: int) -> None:
        """Let the Bundle have these revisions, the newest first."""
        self.revisions = list(revisions)
        self.cluster._hold(self._bundle())

    def edit(self, **spec: Any) -> None:
        """Change fields of the Bot's spec."""

        def change(obj: Object) -> None:
            obj["spec"].update(spec)
            obj["metadata"]["generation"] += 1

        self._put("Bot", change)

    def annotate(self, **annotations: str) -> None:
        """Set annotations of the Bot, in the prefix botyard.dev."""
        found = {f"botyard.dev/{name}": value for name, value in annotations.items()}
        self._put("Bot", lambda obj: obj["metadata"].setdefault("annotations", {}).update(found))

    def reconcile(self) -> None:
        """Reconcile the Bot until it asks for nothing more."""
        for _ in range(10):
            try:
                result: Result = asyncio.run(self.reconciler.reconcile(BOT, self.context))
            except RetryLater:
                return
            if result.requeue_after is None or result.requeue_after >= SOON:
                return
        raise AssertionError("the Bot is reconciled again and again")

    def rolled_out(self) -> None:
        """Say that all replicas run the newest template, and reconcile."""

        def change(obj: Object) -> None:
            count = obj["spec"]["replicas"]
            fields = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
            obj["status"] = {"observedGeneration": 9**9, **dict.fromkeys(fields, count)}

        self._put("Deployment", change)
        self.cluster.caches.remove(Key("Pod", "shop", "clerk-new"))
        self.reconcile()

    def fails(self, words: str = "botyard: ModuleNotFoundError: no module x", reason: str = "CrashLoopBackOff") -> None:
        """Say that a pod of the newest template keeps failing beyond the deadline, and reconcile."""
        deployment = self.cluster.caches.get("Deployment", "shop", "clerk")
        assert deployment is not None
        template = deployment["spec"]["template"]
        metadata = {
            "name": "clerk-new",
            "namespace": "shop",
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
        }
        container: Object = {"name": "supervisor", "restartCount": 3, "state": {"waiting": {"reason": reason}}}
        if reason == "CrashLoopBackOff":
            container["lastState"] = {"terminated": {"exitCode": 3, "message": words}}
        status = {"phase": "Running", "containerStatuses": [container]}
        self.cluster._hold({"kind": "Pod", "metadata": metadata, "status": status})

        def change(obj: Object) -> None:
            late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
            counts = {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
            obj["status"] = {"observedGeneration": 9**9, "conditions": [late], **counts}

        self._put("Deployment", change)
        self.reconcile()

    @property
    def runs(self) -> int:
        """Number of the revision in the Deployment's template."""
        deployment = self.cluster.caches.get("Deployment", "shop", "clerk")
        assert deployment is not None
        digest = deployment["spec"]["template"]["metadata"]["annotations"]["botyard.dev/artifact-digest"]
        return int(digest[7], 16)

    @property
    def status(self) -> Object:
        status: Object = (self.cluster.caches.get("Bot", "shop", "clerk") or {})["status"]
        return status

    def condition(self, type_: str) -> Object | None:
        return next((each for each in self.status["conditions"] if each["type"] == type_), None)
