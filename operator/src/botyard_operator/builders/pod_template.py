"""`spec.podTemplate`: the user's patch of the pod template, and what it must leave alone.

Pods stay what the operator and the runtime rely on (their containers, mounts, probes, labels), what keeps credentials
from the bundle's code, and what the restricted pod security standard asks for. Everything else is the user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botyard.contract import names
from botyard_operator.builders.pod_security import complete, insecurities
from botyard_operator.builders.strategic_merge import BadPatch, strategic_merge
from botyard_operator.reconcile.base import JsonObject

_WHERE = "spec.podTemplate"
_PRIVATE_VOLUMES = frozenset(
    {"platform", "credentials", "persona-secrets", "model", "artifact-token", "draining-artifact-token", "config"}
)
"""Volumes of the supervisor (and the init container) alone."""
_OWN_FIELDS = frozenset(
    {
        "image",
        "imagePullPolicy",
        "command",
        "args",
        "workingDir",
        "startupProbe",
        "readinessProbe",
        "livenessProbe",
        "lifecycle",
        "restartPolicy",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "stdin",
        "tty",
    }
)
"""Fields of the operator's own containers that a patch may not set."""


class PodTemplateRefused(ValueError):
    """A patch of the pod template that cannot be taken over; the message names the place and what to do."""


def patched(template: JsonObject, patch: JsonObject, *, bot: str) -> JsonObject:
    """Return the pod template with the user's patch.

    Args:
        template: What the operator made.
        patch: `spec.podTemplate`.
        bot: Name of the Bot, after which its Secrets are named.

    Raises:
        PodTemplateRefused: The patch cannot be read, or changes what pods need.
    """
    if not patch:
        return template
    unknown = sorted(set(patch) - {"metadata", "spec"})
    if unknown:
        raise PodTemplateRefused(f"{_WHERE}.{unknown[0]} does not exist: a pod template has metadata and spec")
    try:
        merged = strategic_merge(template, patch, _WHERE)
        complete(merged, {each["name"] for each in _containers(template)})
        wrong = list(_wrong(template, merged, bot))
    except BadPatch as error:
        raise PodTemplateRefused(str(error)) from error
    except (TypeError, AttributeError, KeyError) as error:
        raise PodTemplateRefused(f"{_WHERE} is not built as a pod template is: {error}") from error
    if wrong:
        raise PodTemplateRefused("; ".join(wrong[:5]))
    return merged


def _wrong(template: JsonObject, merged: JsonObject, bot: str) -> Iterator[str]:
    yield from _metadata(template, merged)
    before, after = template["spec"], merged.get("spec") or {}
    for part in ("initContainers", "containers"):
        for own in before[part]:
            found = _named(after.get(part), own["name"])
            place = f"{_WHERE}.spec.{part}[{own['name']}]"
            if found is None:
                yield f"{place} may not be removed"
            else:
                yield from _container(own, found, place)
    for own in before["volumes"]:
        volume = _named(after.get("volumes"), own["name"])
        # How large scratch space may grow, and on which medium, is the user's.
        if volume != own and not ("emptyDir" in own and set(volume or ()) == {"name", "emptyDir"}):
            yield f"{_WHERE}.spec.volumes[{own['name']}] is the operator's: give your volume another name"
    grace = after.get("terminationGracePeriodSeconds")
    least = before["terminationGracePeriodSeconds"]
    if not isinstance(grace, int) or grace < least:
        yield f"{_WHERE}.spec.terminationGracePeriodSeconds must be {least} or more, so that turns can finish"
    yield from _disclosures(template, after, bot)
    yield from insecurities(after, _WHERE)


def _metadata(template: JsonObject, merged: JsonObject) -> Iterator[str]:
    before, after = template["metadata"], merged.get("metadata") or {}
    for field in ("labels", "annotations"):
        found = after.get(field) or {}
        for name, value in before[field].items():
            if found.get(name) != value:
                yield f"{_WHERE}.metadata.{field}[{name}] is the operator's: leave it out"
        # What is not ours may not look as if it were.
        for name in sorted(set(found) - set(before[field])):
            if name.startswith(f"{names.GROUP}/"):
                yield f"{_WHERE}.metadata.{field}[{name}] has Botyard's own prefix: choose another"


def _container(own: JsonObject, found: JsonObject, place: str) -> Iterator[str]:
    for field in sorted(_OWN_FIELDS):
        if found.get(field) != own.get(field):
            yield f"{place}.{field} is the operator's: leave it out"
    for field, key in (("env", "name"), ("volumeMounts", "mountPath"), ("ports", "name")):
        for entry in own.get(field, ()):
            if _named(found.get(field), entry[key], key) != entry:
                yield f"{place}.{field}[{entry[key]}] is the operator's: leave it out"
    for entry in found.get("env") or ():
        if str(entry.get("name", "")).startswith("BOTYARD_") and entry not in own.get("env", ()):
            yield f"{place}.env[{entry['name']}]: names that start with BOTYARD_ are the operator's"


def _disclosures(template: JsonObject, spec: JsonObject, bot: str) -> Iterator[str]:
    """What would show credentials of the platform, or of the bundle, to somebody else's code."""
    own = {each["name"]: {mount["name"] for mount in each["volumeMounts"]} for each in _containers(template)}
    private = {
        names.platform_name(bot),
        names.credentials_name(bot),
        names.model_keys_name(bot),
        names.persona_secrets_name(bot),
    }
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        place = f"{_WHERE}.spec.containers[{container.get('name')}]"
        mine = own.get(str(container.get("name")), set())
        for mount in container.get("volumeMounts") or ():
            if mount.get("name") in _PRIVATE_VOLUMES and mount["name"] not in mine:
                yield f"{place}.volumeMounts: volume {mount['name']} is the supervisor's alone"
        for secret in _secrets(container.get("env")) | _secrets(container.get("envFrom")):
            if secret in private:
                yield f"{place}: Secret {secret} is the operator's"
    known = {volume["name"] for volume in template["spec"]["volumes"]}
    for volume in spec.get("volumes") or ():
        if volume.get("name") not in known and _secrets(volume) & private:
            yield f"{_WHERE}.spec.volumes[{volume.get('name')}]: the Bot's own Secrets are the operator's"


def _secrets(value: Any) -> set[str]:
    """Return the names of all Secrets that a part of a pod refers to."""
    if isinstance(value, list):
        return {name for each in value for name in _secrets(each)}
    if not isinstance(value, dict):
        return set()
    found = {name for each in value.values() for name in _secrets(each)}
    for field in ("secretRef", "secretKeyRef", "secret"):
        inner = value.get(field)
        if isinstance(inner, dict):
            found |= {str(name) for name in (inner.get("name"), inner.get("secretName")) if name}
    return found


def _named(entries: Any, value: Any, key: str = "name") -> JsonObject | None:
    return next((entry for entry in entries or () if entry.get(key) == value), None)


def _containers(template: JsonObject) -> list[JsonObject]:
    return [*template["spec"]["initContainers"], *template["spec"]["containers"]]
