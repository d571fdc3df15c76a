"""The caches: versions, indices and what is kept."""

from typing import Any

from botyard_operator.caches import Caches
from botyard_operator.reconcile.base import Key

Object = dict[str, Any]


def _object(name: str, version: int, **content: Any) -> Object:
    metadata = {"name": name, "namespace": "shop", "resourceVersion": str(version), **content.pop("metadata", {})}
    return {"metadata": metadata, **content}


def _bot(version: int = 1, secret: str = "pay") -> Object:
    reference = {"name": "KEY", "secretKeyRef": {"name": secret, "key": "key"}}
    return _object("clerk", version, spec={"bundleRef": {"name": "clerk"}, "credentials": [reference]})


def test_an_older_version_never_replaces_a_newer_one() -> None:
    caches = Caches()
    assert caches.put("Bot", _object("clerk", 7, spec={"replicas": 2}))
    assert not caches.put("Bot", _object("clerk", 5, spec={"replicas": 1}))
    assert not caches.put("Bot", _object("clerk", 7, spec={"replicas": 2}))
    held = caches.get("Bot", "shop", "clerk")
    assert held is not None
    assert held["spec"] == {"replicas": 2}
    assert (held["apiVersion"], held["kind"]) == ("botyard.dev/v1alpha1", "Bot")


def test_a_late_deletion_does_not_remove_what_was_made_anew() -> None:
    caches = Caches()
    key = Key("Service", "shop", "clerk")
    caches.put("Service", _object("clerk", 9))
    assert not caches.remove(key, 8)
    assert caches.get(*_place(key)) is not None
    assert caches.remove(key, 10)
    assert caches.get(*_place(key)) is None


def test_managed_fields_and_pod_specs_are_not_kept() -> None:
    caches = Caches()
    metadata = {
        "managedFields": [{"manager": "x"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "1"},
    }
    caches.put("Pod", _object("clerk-1", 1, metadata=metadata, spec={"containers": []}, status={"phase": "Running"}))
    held = caches.get("Pod", "shop", "clerk-1")
    assert held is not None
    assert "managedFields" not in held["metadata"]
    assert held["metadata"]["annotations"] == {"kept": "1"}
    assert "spec" not in held
    assert held["status"] == {"phase": "Running"}


def test_the_data_of_a_secret_is_kept_only_where_something_needs_it() -> None:
    caches = Caches()
    key = Key("Secret", "shop", "pay")
    caches.put("Secret", _object("pay", 3, data={"key": "b2xk"}))
    assert caches.is_stub(key)
    assert "data" not in (caches.get(*_place(key)) or {})
    caches.put("Bot", _bot())
    assert caches.put("Secret", _object("pay", 3, data={"key": "b2xk"})), "the same version completes a stub"
    assert not caches.is_stub(key)
    assert (caches.get(*_place(key)) or {})["data"] == {"key": "b2xk"}


def test_references_follow_the_spec() -> None:
    caches = Caches()
    caches.put("Bot", _bot(1, "pay"))
    bot = Key("Bot", "shop", "clerk")
    assert caches.dependents(Key("Secret", "shop", "pay")) == (bot,)
    assert caches.dependents(Key("Bundle", "shop", "clerk")) == (bot,)
    caches.put("Bot", _bot(2, "other"))
    assert caches.dependents(Key("Secret", "shop", "pay")) == ()
    assert caches.dependents(Key("Secret", "shop", "other")) == (bot,)
    caches.remove(bot)
    assert caches.dependents(Key("Secret", "shop", "other")) == ()


def test_children_follow_the_label() -> None:
    caches = Caches()
    label = {"labels": {"botyard.dev/bot": "clerk"}}
    caches.put("Pod", _object("clerk-2", 1, metadata=label))
    caches.put("Pod", _object("clerk-1", 2, metadata=label))
    bot = Key("Bot", "shop", "clerk")
    assert [pod["metadata"]["name"] for pod in caches.children(bot, "Pod")] == ["clerk-1", "clerk-2"]
    caches.put("Pod", _object("clerk-1", 3))
    assert [pod["metadata"]["name"] for pod in caches.children(bot, "Pod")] == ["clerk-2"]


def test_the_listener_learns_what_changed_and_who_did_it() -> None:
    seen: list[tuple[str, Any, Any, bool]] = []

    def listener(key: Key, before: Object | None, after: Object | None, *, own: bool) -> None:
        seen.append((key.name, (before or {}).get("spec"), (after or {}).get("spec"), own))

    caches = Caches(listener)
    caches.put("Bot", _object("clerk", 1, spec={"replicas": 1}))
    caches.put("Bot", _object("clerk", 2, spec={"replicas": 2}), own=True)
    caches.put("Bot", _object("clerk", 2, spec={"replicas": 2}))
    caches.remove(Key("Bot", "shop", "clerk"))
    assert seen == [
        ("clerk", None, {"replicas": 1}, False),
        ("clerk", {"replicas": 1}, {"replicas": 2}, True),
        ("clerk", {"replicas": 2}, None, False),
    ]


def test_large_objects_come_back_as_they_were() -> None:
    caches = Caches()
    data = {"text": "ä" * 5000}
    caches.put("Bot", _object("clerk", 1, spec={"config": data}))
    assert (caches.get("Bot", "shop", "clerk") or {})["spec"]["config"] == data


def _place(key: Key) -> tuple[str, str, str]:
    return key.kind, key.namespace, key.name
