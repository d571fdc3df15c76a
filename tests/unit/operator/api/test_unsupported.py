"""Fields without behaviour are found when somebody sets them, and only then."""

from typing import cast

import pytest

from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle
from botyard_operator.api.persona import Persona
from botyard_operator.api.unsupported import TABLE, Entry, Kind, unsupported_fields
from tests.unit.operator.api.rule_examples import EXAMPLES, Object, manifest
from tests.unit.operator.api.schema import schemas, walk

KINDS: dict[Kind, type[Bot] | type[Bundle] | type[Persona]] = {"Bundle": Bundle, "Bot": Bot, "Persona": Persona}
ENTRIES = [(kind, entry) for kind, entries in TABLE.items() for entry in entries]


def paths(kind: Kind, changes: Object) -> list[str]:
    return [found.path for found in unsupported_fields(kind, KINDS[kind].parse(manifest(kind, changes)).spec)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_object_is_supported(kind: Kind) -> None:
    assert paths(kind, {}) == []


@pytest.mark.parametrize(("kind", "entry"), [pytest.param(k, e, id=f"{k}-{e.path}") for k, e in ENTRIES])
def test_every_line_of_the_table_names_a_field_and_is_found(kind: Kind, entry: Entry) -> None:
    assert entry.path in {path for path, _ in walk(schemas()[kind])}
    found = unsupported_fields(kind, KINDS[kind].parse(manifest(kind, setting(kind, entry.path))).spec)
    assert [field.path for field in found if field.path == entry.path] == [entry.path]
    message = next(field.message for field in found if field.path == entry.path)
    assert message.startswith(f"{entry.path} has no effect in this release: ")


def test_a_field_that_is_set_to_its_default_was_set_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast("dict[Kind, object]", TABLE), "Bot", (Entry("spec.rollout.scenarios", "remove it"),))
    assert paths("Bot", {"rollout": {"scenarios": "Required"}}) == ["spec.rollout.scenarios"]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Bundle", {"git": {"submodules": False}}),
        ("Bundle", {"allowedNamespaces": {"from": "Same"}}),
        ("Bundle", {"retain": {}}),
        ("Bundle", {"git": {"url": "http://git/x"}}),
        ("Bot", {"events": {}}),
        ("Persona", {"schedules": []}),
        ("Persona", {"setupFrom": []}),
    ],
)
def test_values_that_ask_for_nothing_are_fine(kind: Kind, changes: Object) -> None:
    assert paths(kind, changes) == []


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (
            "Bundle",
            {
                "git": {"ref": {"tag": "v1"}},
                "path": "repairs",
                "ignore": "*.md",
                "interval": "5m",
                "timeout": "30s",
                "limits": {"size": "1Mi", "files": 10},
                "entrypoint": {"model": "fsm", "module": "bot", "symbol": "Bot"},
                "suspend": True,
            },
        ),
        (
            "Bot",
            {
                "replicas": 3,
                "default": True,
                "config": {"a": 1},
                "credentials": [{"name": "KEY", "secretKeyRef": {"name": "pay", "key": "key"}}],
                "limits": {"turnTimeout": "1m", "maxInput": "2Mi", "concurrency": 1, "workers": 2},
                "model": {"name": "small", "endpoint": "http://llm:8000/v1"},
                "resources": {"requests": {"cpu": "100m"}},
                "rollout": {"progressDeadline": "1m"},
                "suspend": True,
            },
        ),
        ("Persona", {"displayName": "Nora", "setup": {"a": 1}, "maxInProgress": 2, "suspend": True}),
    ],
)
def test_what_this_release_promises_is_supported(kind: Kind, changes: Object) -> None:
    assert paths(kind, changes) == []


@pytest.mark.parametrize(("kind", "entry"), [pytest.param(k, e, id=f"{k}-{e.path}") for k, e in ENTRIES])
def test_the_definition_says_so_and_sets_no_default(kind: Kind, entry: Entry) -> None:
    schema = dict(walk(schemas()[kind]))[entry.path]
    assert "in force in this release" in schema["description"]
    assert "default" not in schema


_WITHOUT_RULES: dict[tuple[Kind, str], Object] = {
    ("Bot", "spec.quotas"): {"quotas": {"perUser": {"concurrent": 2}}},
    ("Bot", "spec.rollout.ramp"): {"rollout": {"ramp": [10, 100]}},
}


def setting(kind: Kind, path: str) -> Object:
    """Return a spec that sets a field: one of our own, or the accepted example of a rule at or below the field."""
    if (kind, path) in _WITHOUT_RULES:
        return _WITHOUT_RULES[kind, path]
    return next(
        example.accepted
        for example in EXAMPLES
        if example.kind == kind and f"{example.location}.".replace("[]", "").startswith(f"{path}.")
    )
