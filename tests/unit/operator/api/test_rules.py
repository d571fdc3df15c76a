"""The rules hold offline as they do in the API server: `Kind.parse` agrees with admission."""

import pytest

from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.persona import Persona
from tests.unit.operator.api.rule_examples import EXAMPLES, MORE_ACCEPTED, MORE_REFUSED, Example, Object, manifest
from tests.unit.operator.api.schema import rules

KINDS = {"Bundle": Bundle, "Bot": Bot, "Persona": Persona}
TRANSITION_RULES = {("Persona", "spec.botRef")}
"""Need the object's previous version; only the API server sees it."""
ON_CREATE_RULE = "write replicas not above autoscaling.maxReplicas"
"""Holds at creation only, and a reader cannot tell whether an object is being created."""


def test_every_rule_has_an_example_and_every_example_a_rule() -> None:
    declared = [(kind, path, rule["message"]) for kind, path, rule in rules()]
    without_example = [
        (kind, path, message)
        for kind, path, message in declared
        if (kind, path) not in TRANSITION_RULES
        and not any((e.kind, e.location) == (kind, path) and message.startswith(e.message) for e in EXAMPLES)
    ]
    without_rule = [
        example.id
        for example in EXAMPLES
        if not any((example.kind, example.location) == (k, p) and m.startswith(example.message) for k, p, m in declared)
    ]
    assert without_example == []
    assert without_rule == []


@pytest.mark.parametrize(("kind", "path", "rule"), [pytest.param(*r, id=f"{r[0]}-{r[1]}") for r in rules()])
def test_every_message_says_what_to_write(kind: str, path: str, rule: Object) -> None:
    assert any(word in rule["message"] for word in ("write", "needs", "need", "leave", "create")), rule["message"]
    assert "\n" not in rule["message"]
    assert len(rule["message"]) <= 300


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_accepts(example: Example) -> None:
    KINDS[example.kind].parse(example.build(accepted=True, namespace="shop"))


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e.message != ON_CREATE_RULE], ids=lambda example: example.id
)
def test_refuses(example: Example) -> None:
    with pytest.raises(InvalidObject) as caught:
        KINDS[example.kind].parse(example.build(accepted=False, namespace="shop"))
    assert example.message in str(caught.value)


@pytest.mark.parametrize(("kind", "changes"), MORE_ACCEPTED)
def test_accepts_further(kind: str, changes: Object) -> None:
    KINDS[kind].parse(manifest(kind, changes))


@pytest.mark.parametrize(("kind", "changes", "message"), MORE_REFUSED)
def test_refuses_further(kind: str, changes: Object, message: str) -> None:
    with pytest.raises(InvalidObject) as caught:
        KINDS[kind].parse(manifest(kind, changes))
    assert message in str(caught.value)
