"""What a build puts into the status of its Bundle: pure functions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botyard_operator.api.bundle import Artifact, BuildResult, Manifest
from botyard_operator.api.reasons import Reason
from botyard_operator.conditions import ConditionState, ready, reconciling, stalled
from botyard_operator.reconcile.build_state import Build
from botyard_operator.reconcile.problems import Problem

_MOST_NAMES = 200
"""Names of one sort in a status; the ConfigMap has all of them."""
_MOST_SCENARIOS = 100_000


def next_layer(
    current: Artifact | None, artifact: Artifact | None, build: Build | None, *, base_url: str, now: datetime
) -> Artifact | None:
    """Return the layer of the current revision: another one only with a build that is done."""
    if build is None or build.state != "done" or build.manifest is None:
        return current if artifact is not None and (build is None or build.state != "skipped") else None
    if build.layer is None or artifact is None:
        return None
    url = f"{base_url}/v1/artifacts/{build.layer.digest.removeprefix('sha256:')}.tar.gz"
    if current is not None and (current.digest, current.url, current.size) == (
        build.layer.digest,
        url,
        build.layer.size,
    ):
        return current
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Artifact(
        revision=artifact.revision, digest=build.layer.digest, url=url, size=build.layer.size, last_update_time=stamp
    )


def next_manifest(current: Manifest | None, build: Build | None) -> Manifest | None:
    """Return what the status tells of the manifest."""
    if build is not None and build.state == "skipped":
        return None
    if build is None or build.state != "done" or build.manifest is None:
        return current
    return summary(build.manifest)


def next_build(current: BuildResult | None, build: Build | None, *, base_url: str) -> BuildResult | None:
    """Return which build the current revision comes from."""
    if build is not None and build.state == "skipped":
        return None
    if build is None or build.state != "done":
        return current
    return BuildResult(id=build.id, log_url=f"{base_url}/v1/builds/{build.id}/log")


def summary(manifest: dict[str, Any]) -> Manifest:
    """Return the part of a manifest that a status shows.

    Args:
        manifest: The whole manifest as a build pod reported it: whatever foreign code made of it.
    """
    machine = _dict(manifest.get("machine"))
    extra = _dict(manifest.get("extra"))
    text = json.dumps(manifest, ensure_ascii=False, sort_keys=True)
    setup = extra.get("setupSchema") or extra.get("setup_schema") or extra.get("setup") or ()
    return Manifest(
        model=_text(manifest.get("model")),
        name=_text(manifest.get("name")),
        version=_text(manifest.get("version")),
        tools=_names(extra.get("tools")),
        erp_tables=_names(extra.get("erpTables") or extra.get("erp_tables")),
        states=_names(machine.get("states")),
        setup_keys=_names(setup, key="bs_name"),
        experts=_names(extra.get("experts")),
        scenarios=_count(extra.get("scenarios")),
        digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
    )


def _count(found: object) -> int:
    return min(found, _MOST_SCENARIOS) if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def build_conditions(
    build: Build | None, layer: Artifact | None, before: Sequence[ConditionState]
) -> list[ConditionState]:
    """Return Built and Inspected.

    Args:
        build: How the build of the newest revision stands; None: nothing is known of it now.
        layer: The dependencies of the current revision.
        before: What the status has of the two, kept while nothing newer is known.
    """
    if build is None:
        return list(before)
    if build.state == "skipped":
        return []
    if build.state == "done":
        built = f"the layer {layer.digest} has the dependencies" if layer is not None else "there are no dependencies"
        return [
            ConditionState("Built", "True", Reason.SUCCEEDED, f"{build.revision}: {built}"),
            ConditionState("Inspected", "True", Reason.SUCCEEDED, f"{build.revision} was imported and described"),
        ]
    message = f"{build.revision}: {build.message}"
    if build.state == "working":
        return [ConditionState(type_, "Unknown", Reason.PROGRESSING, message) for type_ in ("Built", "Inspected")]
    if build.stage != "inspect":
        waiting = f"{build.revision} is not built"
        return [
            ConditionState("Built", "False", build.reason, message),
            ConditionState("Inspected", "Unknown", Reason.PROGRESSING, waiting),
        ]
    return [
        ConditionState("Built", "True", Reason.SUCCEEDED, f"{build.revision} is built"),
        ConditionState("Inspected", "False", build.reason, message),
    ]


def ready_while_building(served: str, build: Build) -> ConditionState:
    """Return Ready while the newest revision is not built, or cannot be.

    Args:
        served: The revision that is in storage; empty: none.
        build: How the newest one stands.
    """
    trouble = f"{build.revision}: {build.message}"
    if not served:
        return ready("False", build.reason, trouble)
    if build.state == "working":
        return ready("True", Reason.SUCCEEDED, f"{served} is in storage; what is newer is under way: {trouble}")
    return ready("True", Reason.SUCCEEDED, f"{served} is in storage; what is newer is not: {trouble}")


def progress_of(build: Build) -> ConditionState:
    """Return Reconciling or Stalled for a revision that is not built."""
    message = f"{build.revision}: {build.message}"
    if build.state == "working":
        return reconciling(build.reason, message)
    if build.retryable:
        return reconciling(Reason.RETRYING, message)
    return stalled(build.reason, message)


def refused_manifest(build: Build | None, problem: Problem) -> Build | None:
    """Return a build whose manifest cannot be written."""
    if build is None:
        return None
    return dataclasses.replace(
        build,
        state="failed",
        stage="inspect",
        reason=problem.reason,
        message=problem.message,
        retryable=problem.retry,
        look_again=30.0,
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value[:253] if isinstance(value, str) else ""


def _names(value: Any, *, key: str = "name") -> tuple[str, ...]:
    """Return names, of a list of names, of objects that have one, or of a mapping."""
    if isinstance(value, dict):
        value = value.get("properties") if isinstance(value.get("properties"), dict) else value
    found = []
    for entry in value if isinstance(value, list | tuple | dict) else ():
        name = entry.get(key) or entry.get("name") if isinstance(entry, dict) else entry
        if isinstance(name, str):
            found.append(name[:253])
    return tuple(found[:_MOST_NAMES])
