"""Which pods have to be touched after their ConfigMaps changed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from botyard_operator.caches import Caches
from botyard_operator.reconcile.base import Key
from botyard_operator.reconcile.refresh import dated, stale_pods

Object = dict[str, Any]
BOT = Key("Bot", "shop", "clerk")
NOW = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
BEFORE, WITHIN, LATER = "2026-01-01T11:59:59Z", "2026-01-01T12:00:01Z", "2026-01-01T12:00:03Z"


def _object(kind: str, name: str, version: int = 1, **content: Any) -> Object:
    metadata = {
        "name": name,
        "namespace": "shop",
        "resourceVersion": str(version),
        "labels": {"botyard.dev/bot": "clerk"},
    }
    return {"kind": kind, "metadata": {**metadata, **content.pop("metadata", {})}, **content}


def _pod(caches: Caches, made: str, *, phase: str = "Running", version: int = 1, **annotations: str) -> None:
    metadata = {
        "creationTimestamp": made,
        "annotations": {f"botyard.dev/{name}": value for name, value in annotations.items()},
    }
    caches.put("Pod", _object("Pod", "clerk-1", version, metadata=metadata, status={"phase": phase}))


def _write(caches: Caches, name: str, text: str, version: int = 1, kind: str = "ConfigMap") -> Object:
    obj = dated(_object(kind, name, version, data={"a": text}), bot=BOT, caches=caches, now=NOW)
    caches.put(kind, obj)
    return obj


def _changed_at(obj: Object) -> str | None:
    value: str | None = (obj["metadata"].get("annotations") or {}).get("botyard.dev/changed-at")
    return value


def _touched(caches: Caches) -> list[str]:
    return [key.name for key, _ in stale_pods(BOT, caches)]


def test_the_first_content_that_pods_cannot_start_without_has_no_time() -> None:
    caches = Caches()
    assert _changed_at(_write(caches, "clerk-bot", "1")) is None
    assert _changed_at(_write(caches, "clerk-personas-0", "1")) is None
    _pod(caches, BEFORE)
    assert _touched(caches) == []


def test_an_optional_shard_may_appear_under_running_pods() -> None:
    caches = Caches()
    _pod(caches, BEFORE)
    assert _changed_at(_write(caches, "clerk-personas-3", "1")) == NOW.isoformat()
    assert _touched(caches) == ["clerk-1"]


def test_a_config_map_that_is_made_anew_has_its_time() -> None:
    caches = Caches()
    _pod(caches, BEFORE)
    assert _changed_at(_write(caches, "clerk-bot", "1")) == NOW.isoformat()


def test_the_time_stays_while_the_content_does() -> None:
    caches = Caches()
    _write(caches, "clerk-bot", "1")
    changed = _write(caches, "clerk-bot", "2", version=2)
    assert _changed_at(changed) == NOW.isoformat()
    later = NOW.replace(minute=5)
    same = dated(_object("ConfigMap", "clerk-bot", 3, data={"a": "2"}), bot=BOT, caches=caches, now=later)
    assert _changed_at(same) == NOW.isoformat()


@pytest.mark.parametrize(
    ("made", "phase", "touched"),
    [
        (BEFORE, "Running", True),
        (WITHIN, "Running", True),
        (LATER, "Running", False),
        (BEFORE, "Pending", False),
        (BEFORE, "Succeeded", False),
    ],
)
def test_pods_older_than_the_change_are_touched_once_they_run(made: str, phase: str, touched: bool) -> None:
    caches = Caches()
    _write(caches, "clerk-bot", "1")
    _write(caches, "clerk-bot", "2", version=2)
    _pod(caches, made, phase=phase)
    assert bool(_touched(caches)) is touched


def test_a_touched_pod_is_touched_again_only_after_another_change() -> None:
    caches = Caches()
    _write(caches, "clerk-bot", "1")
    _write(caches, "clerk-bot", "2", version=2)
    _pod(caches, BEFORE)
    ((_, mark),) = stale_pods(BOT, caches)
    _pod(caches, BEFORE, version=2, refresh=mark)
    assert _touched(caches) == []
    _write(caches, "clerk-personas-1", "1")
    assert _touched(caches) == ["clerk-1"]


def test_a_changed_key_of_a_model_is_read_live_too() -> None:
    caches = Caches()
    _write(caches, "clerk-model", "1", kind="Secret")
    _pod(caches, BEFORE)
    assert _touched(caches) == []
    _write(caches, "clerk-model", "2", version=2, kind="Secret")
    assert _touched(caches) == ["clerk-1"]


def test_a_leaving_pod_is_left_alone() -> None:
    caches = Caches()
    _write(caches, "clerk-bot", "1")
    _write(caches, "clerk-bot", "2", version=2)
    metadata = {"creationTimestamp": BEFORE, "deletionTimestamp": BEFORE}
    caches.put("Pod", _object("Pod", "clerk-1", metadata=metadata, status={"phase": "Running"}))
    assert _touched(caches) == []


def test_a_time_that_nobody_can_read_is_replaced_with_the_content() -> None:
    caches = Caches()
    unreadable = {"annotations": {"botyard.dev/changed-at": "soon"}}
    caches.put("ConfigMap", _object("ConfigMap", "clerk-bot", 2, metadata=unreadable))
    _pod(caches, BEFORE)
    assert _touched(caches) == []
    assert _changed_at(_write(caches, "clerk-bot", "2", version=3)) == NOW.isoformat()
