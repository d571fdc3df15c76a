"""From a change to the keys that it concerns."""

from typing import Any

import pytest

from botyard_operator.caches import Caches
from botyard_operator.mapping import concerned
from botyard_operator.reconcile.base import Key

Object = dict[str, Any]
BOT = Key("Bot", "shop", "clerk")
SHARDS = Key("PersonaShards", "shop", "clerk")
TABLE = Key("Routes", "botyard", "botyard-routes")


def _object(name: str, labels: dict[str, str] | None = None, **content: Any) -> Object:
    metadata = {"name": name, "namespace": "shop", "resourceVersion": "1", "uid": name, "labels": labels or {}}
    return {"metadata": metadata, **content}


@pytest.fixture
def caches() -> Caches:
    caches = Caches()
    credential = {"name": "KEY", "secretKeyRef": {"name": "pay", "key": "key"}}
    caches.put("Bot", _object("clerk", spec={"bundleRef": {"name": "code"}, "credentials": [credential]}))
    caches.put("Persona", _object("nora", spec={"botRef": {"name": "clerk"}}))
    return caches


def _keys(caches: Caches, key: Key, before: Object | None, after: Object | None, *, own: bool = False) -> set[Key]:
    found = concerned(key, before, after, own=own, caches=caches, system_namespace="botyard")
    return {dirty for dirty, _ in found}


def test_a_bundle_concerns_itself_and_the_bots_that_run_it(caches: Caches) -> None:
    key = Key("Bundle", "shop", "code")
    assert _keys(caches, key, None, _object("code")) == {key, BOT, TABLE}


def test_the_operators_own_status_write_does_not_reconcile_the_object_again(caches: Caches) -> None:
    bundle = Key("Bundle", "shop", "code")
    assert _keys(caches, bundle, _object("code"), _object("code"), own=True) == {BOT, TABLE}
    bot = caches.get("Bot", "shop", "clerk")
    assert _keys(caches, BOT, bot, bot, own=True) == {TABLE}


@pytest.mark.parametrize("kind", ["Deployment", "Pod", "Service", "ConfigMap", "Secret"])
def test_a_child_concerns_its_bot_unless_the_operator_wrote_it(caches: Caches, kind: str) -> None:
    child = _object("clerk", {"botyard.dev/bot": "clerk"})
    key = Key(kind, "shop", "clerk")
    assert _keys(caches, key, None, child) == {BOT}
    assert _keys(caches, key, child, None) == {BOT}
    assert _keys(caches, key, None, child, own=True) == set()


def test_a_shard_concerns_the_shards_of_its_bot(caches: Caches) -> None:
    shard = _object("clerk-personas-0", {"botyard.dev/bot": "clerk", "botyard.dev/persona-shard": "0"})
    assert _keys(caches, Key("ConfigMap", "shop", "clerk-personas-0"), shard, None) == {SHARDS}


def test_a_referenced_secret_concerns_who_refers_to_it_and_another_one_nobody(caches: Caches) -> None:
    assert _keys(caches, Key("Secret", "shop", "pay"), None, _object("pay")) == {BOT}
    assert _keys(caches, Key("Secret", "shop", "other"), None, _object("other")) == set()
    assert _keys(caches, Key("Secret", "depot", "pay"), None, _object("pay")) == set()


def test_a_new_bot_concerns_its_personas_and_their_shards(caches: Caches) -> None:
    bot = caches.get("Bot", "shop", "clerk")
    assert _keys(caches, BOT, None, bot) == {BOT, SHARDS, Key("Persona", "shop", "nora"), TABLE}


def test_a_bot_that_becomes_ready_concerns_its_personas(caches: Caches) -> None:
    before = _object("clerk", status={"conditions": [{"type": "Ready", "status": "False", "message": "x"}]})
    after = _object("clerk", status={"conditions": [{"type": "Ready", "status": "True", "message": "1 of 1"}]})
    counted = _object("clerk", status={"conditions": [{"type": "Ready", "status": "True", "message": "1 of 2"}]})
    assert Key("Persona", "shop", "nora") in _keys(caches, BOT, before, after, own=True)
    assert Key("Persona", "shop", "nora") not in _keys(caches, BOT, after, counted, own=True)


def test_a_persona_concerns_its_shards_on_content_and_its_bot_on_readiness(caches: Caches) -> None:
    key = Key("Persona", "shop", "nora")
    before = _object("nora", spec={"botRef": {"name": "clerk"}})
    edited = _object("nora", spec={"botRef": {"name": "clerk"}, "setup": {"a": 1}})
    became_ready = {**before, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert _keys(caches, key, before, edited) == {key, SHARDS, TABLE}
    assert _keys(caches, key, before, became_ready, own=True) == {BOT, TABLE}
    assert _keys(caches, key, before, None) == {key, SHARDS, BOT, TABLE}


def test_a_default_bot_concerns_the_other_candidates(caches: Caches) -> None:
    caches.put("Bot", _object("other", spec={"default": True}))
    before, after = _object("clerk", spec={}), _object("clerk", spec={"default": True})
    assert Key("Bot", "shop", "other") in _keys(caches, BOT, before, after)
    assert Key("Bot", "shop", "other") not in _keys(caches, BOT, after, after)


@pytest.mark.parametrize("name", ["botyard-routes", "botyard-routes-7"])
def test_a_changed_routing_table_is_looked_at(caches: Caches, name: str) -> None:
    key = Key("ConfigMap", "botyard", name)
    assert _keys(caches, key, None, _object(name)) == {TABLE}
    assert _keys(caches, key, None, _object(name), own=True) == set()
