"""Which artifacts must stay in storage: what Bundles list, Bots return to, and Deployments run."""

from __future__ import annotations

from collections.abc import Iterator

from botyard.contract import names
from botyard_operator.reconcile.base import Context, JsonObject


def digests_in_use(ctx: Context) -> Iterator[str]:
    """Yield the digests of artifacts and layers that something needs."""
    for obj in ctx.caches.list("Bundle"):
        status = obj.get("status") or {}
        for artifact in (status.get("artifact") or {}, status.get("layer") or {}, *(status.get("history") or ())):
            yield artifact.get("digest", "")
            yield (artifact.get("layer") or {}).get("digest", "")
    # To return to when a newer one fails.
    for obj in ctx.caches.list("Bot"):
        good: JsonObject = (obj.get("status") or {}).get("goodRevision") or {}
        yield good.get("digest", "")
        yield good.get("layer", "")
    # A Bot that is suspended or pinned runs an older revision than any status tells; its pods may start again.
    for deployment in ctx.caches.list("Deployment"):
        pod = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
        for container in pod.get("initContainers") or ():
            for variable in container.get("env") or ():
                if variable.get("name") in {names.ENV_ARTIFACT_DIGEST, names.ENV_LAYER_DIGEST}:
                    yield variable.get("value", "")
