"""The status of a Bundle, from what is known about it: pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

from botyard_operator.api.bundle import Artifact, Bundle, Revision
from botyard_operator.api.reasons import Reason
from botyard_operator.conditions import ConditionState, ready, reconciling, stalled
from botyard_operator.fetch.errors import SIGNATURE, FetchError
from botyard_operator.fetch.jobs import Fetched
from botyard_operator.fetch.request import Ref
from botyard_operator.reconcile.build_state import Build
from botyard_operator.reconcile.build_status import build_conditions, progress_of, ready_while_building

_MAX_HISTORY = 50
_MAX_NAME = 200
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9._+-]")
_COMMIT = re.compile(r"(?:^|@)sha(?:1|256):(?P<commit>[0-9a-f]{40}|[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Halt:
    """Why the spec is not acted upon."""

    reason: Reason
    message: str
    suspended: bool = False
    """On purpose, so nothing is wrong."""


def ref_of(bundle: Bundle) -> Ref:
    """Return the ref that the spec follows."""
    if bundle.spec.archive is not None:
        return Ref(kind="archive", name=archive_name(bundle.spec.archive.url))
    if bundle.spec.git is None:
        return Ref(kind="inline", name="inline")
    ref = bundle.spec.git.ref
    if ref.commit:
        return Ref(kind="commit", name=ref.commit)
    if ref.tag:
        return Ref(kind="tag", name=ref.tag)
    if ref.semver:
        return Ref(kind="semver", name=ref.semver)
    return Ref(kind="branch", name=ref.effective_branch or "main")


def archive_name(url: str) -> str:
    """Return what an archive is called: the last part of its URL's path."""
    name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    return _UNNAMEABLE.sub("_", name)[:_MAX_NAME] or "archive"


def commit_of(revision: str) -> str | None:
    """Return the commit (or digest, of what is no repository) of a revision such as `main@sha1:…`, or None."""
    match = _COMMIT.search(revision)
    return match["commit"] if match else None


def artifact_url(base_url: str, digest: str) -> str:
    """Return where an artifact is served."""
    return f"{base_url}/v1/artifacts/{digest.removeprefix('sha256:')}.tar.gz"


def next_artifact(current: Artifact | None, fetched: Fetched, *, ref: Ref, base_url: str, now: datetime) -> Artifact:
    """Return the artifact of a fetch: the current one, untouched, where nothing differs."""
    revision = ref.revision(fetched.commit, fetched.name if ref.kind == "semver" else "")
    url = artifact_url(base_url, fetched.digest)
    if current is not None and (current.revision, current.digest, current.url, current.size) == (
        revision,
        fetched.digest,
        url,
        fetched.size,
    ):
        return current
    return Artifact(
        revision=revision, digest=fetched.digest, url=url, size=fetched.size, last_update_time=timestamp(now)
    )


def next_history(
    history: Sequence[Revision],
    artifact: Artifact | None,
    *,
    layer: Artifact | None = None,
    keep: int,
    ttl: timedelta,
    now: datetime,
    in_storage: Callable[[str], bool],
) -> tuple[Revision, ...]:
    """Return the revisions in storage, newest first, the current one included.

    Args:
        history: what the status has.
        artifact: the current one, if any.
        layer: its dependencies, if any.
        keep: number of revisions that stay in any case.
        ttl: how long others stay after a newer one took their place.
        now: the current time.
        in_storage: tells whether a digest is there.
    """
    candidates = [Revision(**artifact.model_dump(), layer=layer)] if artifact else []
    candidates += [old for old in history if artifact is None or old.digest != artifact.digest]
    kept = [
        entry
        for number, entry in enumerate(candidates)
        if in_storage(entry.digest) and (number < keep or _younger(candidates[number - 1], now - ttl))
    ]
    return tuple(kept[:_MAX_HISTORY])


def _younger(entry: Artifact, limit: datetime) -> bool:
    return entry.last_update_time > timestamp(limit)


def timestamp(moment: datetime) -> str:
    """Return a moment as the API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def conditions(
    *,
    artifact: Artifact | None,
    in_storage: bool,
    storage_trouble: str = "",
    result: Fetched | FetchError | None,
    halt: Halt | None,
    fetched_before: ConditionState | None,
    build: Build | None = None,
    layer: Artifact | None = None,
    built_before: Sequence[ConditionState] = (),
    verify: bool = False,
    verified_before: ConditionState | None = None,
) -> list[ConditionState]:
    """Return the conditions.

    Args:
        artifact: the last good artifact, if any.
        in_storage: whether it can be downloaded.
        storage_trouble: why the storage cannot be reached, if so.
        result: how the last fetch of this spec ended; None: it is under way, or there is none.
        halt: why there is no fetching, if so.
        fetched_before: the Fetched condition that the status has, kept while nothing newer is known.
        build: how the build of the fetched revision stands; None: nothing was fetched, or nothing is built here.
        layer: the dependencies of the last good artifact, if any.
        built_before: the conditions Built and Inspected that the status has.
        verify: whether signatures are asked for.
        verified_before: the Verified condition that the status has, kept likewise.
    """
    served = artifact.revision if artifact is not None and in_storage else ""
    fetched = _fetched(result, artifact, build) or fetched_before
    unbuilt = build if build is not None and not build.good and halt is None else None
    if unbuilt is not None and not isinstance(result, FetchError):
        states = [ready_while_building(served, unbuilt)]
    else:
        states = [_ready(served, result, halt)]
    if halt is not None:
        if not halt.suspended:
            states.append(stalled(halt.reason, halt.message))
    elif isinstance(result, FetchError):
        make = reconciling if result.retryable else stalled
        states.append(make(Reason.RETRYING if result.retryable else result.reason, result.message))
    elif unbuilt is not None:
        states.append(progress_of(unbuilt))
    elif result is None:
        states.append(reconciling(Reason.PROGRESSING, "the source is being fetched"))
    if fetched is not None:
        states.append(fetched)
    verified = (_verified(result) or verified_before) if verify else None
    if verified is not None:
        states.append(verified)
    states.extend(build_conditions(build, layer, built_before))
    states.append(_storage(artifact, in_storage=in_storage, trouble=storage_trouble))
    return states


def _ready(served: str, result: Fetched | FetchError | None, halt: Halt | None) -> ConditionState:
    if halt is not None and halt.suspended:
        message = f"suspended; {served} stays available" if served else "suspended before anything was fetched"
        return ready("True" if served else "False", halt.reason, message)
    if halt is not None:
        trouble, reason = halt.message, str(halt.reason)
    elif isinstance(result, FetchError):
        trouble, reason = result.message, str(result.reason)
    elif result is None:
        trouble, reason = "the source is being fetched", str(Reason.PROGRESSING)
    else:
        return ready("True", Reason.SUCCEEDED, f"{served} is in storage")
    if served:
        return ready("True", Reason.SUCCEEDED, f"{served} is in storage; what is newer is not: {trouble}")
    return ready("False", reason, trouble)


def _fetched(
    result: Fetched | FetchError | None, artifact: Artifact | None, build: Build | None
) -> ConditionState | None:
    if isinstance(result, FetchError):
        return ConditionState("Fetched", "False", result.reason, result.message)
    if result is not None and build is not None:
        return ConditionState("Fetched", "True", Reason.SUCCEEDED, f"fetched {build.revision}")
    if result is not None and artifact is not None:
        return ConditionState("Fetched", "True", Reason.SUCCEEDED, f"fetched {artifact.revision}")
    return None


def _verified(result: Fetched | FetchError | None) -> ConditionState | None:
    if isinstance(result, FetchError):
        return (
            ConditionState("Verified", "False", result.reason, result.message) if result.reason in SIGNATURE else None
        )
    if result is not None:
        return ConditionState("Verified", "True", Reason.SUCCEEDED, result.verified)
    return None


def _storage(artifact: Artifact | None, *, in_storage: bool, trouble: str) -> ConditionState:
    if artifact is None:
        return ConditionState("ArtifactInStorage", "False", Reason.PROGRESSING, "nothing was fetched yet")
    if in_storage:
        return ConditionState("ArtifactInStorage", "True", Reason.SUCCEEDED, f"{artifact.digest} is in storage")
    return ConditionState(
        "ArtifactInStorage",
        "False",
        Reason.STORAGE_FAILED,
        f"{artifact.digest} cannot be read: {trouble}"
        if trouble
        else f"{artifact.digest} is not in the operator's storage; it is fetched again",
    )
