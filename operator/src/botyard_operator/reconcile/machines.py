"""The machines of a Bundle's revisions, kept beside its manifest: what stored conversations are held against.

A Bot may be pinned to an older revision than the manifest is of, so the shapes of all that the Bundle keeps are there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from botyard.contract import names
from botyard.contract.machine import MachineShape
from botyard_operator.api.bundle import Bundle
from botyard_operator.reconcile.base import Context

MAX_BYTES = 900_000
"""Of manifest and machines together, kept below the API server's limit of 1 MiB per object."""

NO_MACHINE = MachineShape()
"""Of a revision that is no state machine."""


def shape_of(manifest: Mapping[str, Any]) -> MachineShape:
    """Return the shape of the machine in a manifest; `NO_MACHINE` where there is none.

    Args:
        manifest: The whole manifest as a build pod reported it: whatever foreign code made of it.
    """
    machine = manifest.get("machine")
    if not isinstance(machine, Mapping):
        return NO_MACHINE
    try:
        return MachineShape.model_validate(
            {"states": machine.get("states") or (), "variables": machine.get("variables")}
            | {"nested": machine.get("nested") or {}}
        )
    except (ValidationError, RecursionError):
        return NO_MACHINE


def machines_text(before: str | None, digest: str, manifest: str, kept: Collection[str]) -> str:
    """Return the entry with the shapes of a Bundle's revisions.

    Args:
        before: The entry as it was.
        digest: Of the artifact that the manifest is of.
        manifest: That manifest, as JSON.
        kept: Digests of the older artifacts that the Bundle keeps, the newest first.
    """
    known = _read(before)
    found = {digest: shape_of(json.loads(manifest)).model_dump(mode="json", by_alias=True, exclude_defaults=True)}
    room = MAX_BYTES - len(manifest.encode())
    for each in (digest, *kept):
        shape = found.get(each, known.get(each))
        if shape is None:
            continue
        room -= len(json.dumps({each: shape}))
        if room < 0:
            found.pop(each, None)
            break
        found[each] = shape
    return json.dumps(found, sort_keys=True)


async def shapes(bundle: Bundle, ctx: Context) -> Mapping[str, MachineShape]:
    """Return the shapes of a Bundle's revisions by the digests of their artifacts, as far as they are known."""
    data = await ctx.kube.config_map(bundle.metadata.namespace, names.manifest_name(bundle.metadata.name)) or {}
    found: dict[str, MachineShape] = {}
    for digest, shape in _read(data.get(names.MACHINES_FILE)).items():
        try:
            found[digest] = MachineShape.model_validate(shape)
        except (ValidationError, RecursionError):
            continue
    return found


def _read(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
