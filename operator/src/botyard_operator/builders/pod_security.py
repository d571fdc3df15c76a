"""The restricted pod security standard: completing what a user adds to a pod, and refusing what breaks it.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ (restricted, v1.34). Beyond it, pods carry
no service-account token and their containers do not see each other's processes: the bundle's code could read the
supervisor's credentials from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botyard_operator.reconcile.base import JsonObject

_VOLUME_TYPES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "name"}
)


def restricted_pod(user: int) -> JsonObject:
    """Return the security context of a pod whose processes and files belong to `user`."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_container() -> JsonObject:
    """Return the security context of one of the operator's own containers."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def complete(template: JsonObject, own: set[str]) -> None:
    """Give containers that the user added the security context that the standard asks for, where they set none.

    Args:
        template: A pod template; it is changed.
        own: Names of the operator's containers, which have it.
    """
    spec = template.get("spec") or {}
    for container in _all(spec):
        if container.get("name") in own:
            continue
        context = container.setdefault("securityContext", {})
        context.setdefault("allowPrivilegeEscalation", False)
        context.setdefault("capabilities", {}).setdefault("drop", ["ALL"])


def insecurities(spec: JsonObject, where: str) -> Iterator[str]:
    """Return what of a pod's spec the standard refuses, each as a message.

    Args:
        spec: The pod's spec.
        where: Path of the pod template.
    """
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{where}.spec.automountServiceAccountToken must be false: pods of a Bot carry no token"
    for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(field):
            yield f"{where}.spec.{field} is refused: write false or leave it out"
    if spec.get("ephemeralContainers"):
        yield f"{where}.spec.ephemeralContainers cannot be part of a template: use kubectl debug"
    yield from _context(spec.get("securityContext") or {}, f"{where}.spec.securityContext", pod=True)
    for container in _all(spec):
        place = f"{where}.spec.containers[{container.get('name')}]"
        yield from _container(container, place)
    for volume in spec.get("volumes") or ():
        yield from _volume(volume, f"{where}.spec.volumes[{volume.get('name')}]")


def _all(spec: JsonObject) -> list[JsonObject]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _container(container: JsonObject, place: str) -> Iterator[str]:
    context = container.get("securityContext") or {}
    yield from _context(context, f"{place}.securityContext", pod=False)
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{place}.securityContext.allowPrivilegeEscalation must be false"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield f"{place}.securityContext.capabilities.drop must hold ALL"
    added = sorted(set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"})
    if added:
        yield f"{place}.securityContext.capabilities.add may not hold {', '.join(added)}"
    if context.get("privileged"):
        yield f"{place}.securityContext.privileged is refused"
    if context.get("procMount") not in (None, "Default"):
        yield f"{place}.securityContext.procMount is refused"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield f"{place}.ports: hostPort is refused"


def _context(context: JsonObject, place: str, *, pod: bool) -> Iterator[str]:
    if context.get("runAsNonRoot", None if pod else True) is not True:
        yield f"{place}.runAsNonRoot must be true"
    if context.get("runAsUser") == 0:
        yield f"{place}.runAsUser may not be 0"
    profile: Any = (context.get("seccompProfile") or {}).get("type", None if pod else "RuntimeDefault")
    if profile not in ("RuntimeDefault", "Localhost"):
        yield f"{place}.seccompProfile.type must be RuntimeDefault or Localhost"
    for field in ("seLinuxOptions", "windowsOptions", "sysctls"):
        if context.get(field):
            yield f"{place}.{field} is refused"


def _volume(volume: JsonObject, place: str) -> Iterator[str]:
    kinds = sorted(set(volume) - _VOLUME_TYPES)
    if kinds:
        yield f"{place}: volumes of type {', '.join(kinds)} are refused by the restricted pod security standard"
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in source:
            yield f"{place}: pods of a Bot carry no service-account token"
