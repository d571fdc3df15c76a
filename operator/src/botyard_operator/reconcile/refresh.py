"""Making a changed ConfigMap reach running processes at once.

The kubelet refreshes mounted ConfigMaps about once a minute, and at once when the pod itself changes: so the pods of
the Bot get an annotation with the ConfigMap's version.
"""

from __future__ import annotations

from botyard.contract import names
from botyard_operator.reconcile.base import Context, Key


async def refresh_pods(bot: Key, config_map: Key, ctx: Context) -> int:
    """Touch the running pods of a Bot after `config_map` was written.

    Returns:
        How many pods were touched.
    """
    held = ctx.caches.get("ConfigMap", config_map.namespace, config_map.name)
    if held is None:
        return 0
    mark = f"{config_map.name}.{held['metadata']['resourceVersion']}"
    touched = 0
    for pod in ctx.caches.children(bot, "Pod"):
        metadata = pod["metadata"]
        running = (pod.get("status") or {}).get("phase") == "Running"
        if not running or metadata.get("deletionTimestamp"):
            continue
        key = Key("Pod", metadata["namespace"], metadata["name"])
        await ctx.kube.patch_metadata(key, {"annotations": {names.ANNOTATION_REFRESH: mark}})
        touched += 1
    return touched
