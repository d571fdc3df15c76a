"""The pages of the kinds show every field and condition, and nothing that the API would refuse."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from botyard_operator.api import reference
from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle
from botyard_operator.api.crd import build_schema, rendered_pages
from botyard_operator.api.persona import Persona
from botyard_operator.api.reasons import ConditionType, Reason
from tests.unit.operator.api.schema import schemas, walk

ROOT = Path(__file__).resolve().parents[4]
KINDS: dict[str, type[Bot] | type[Bundle] | type[Persona]] = {"Bundle": Bundle, "Bot": Bot, "Persona": Persona}


def page(kind: str) -> str:
    return (ROOT / "docs" / f"{kind.lower()}.md").read_text()


def blocks(kind: str) -> list[Any]:
    found = re.findall(r"^```yaml\n(.*?)^```", page(kind), re.DOTALL | re.MULTILINE)
    return [document for text in found for document in yaml.safe_load_all(text)]


def manifests(kind: str) -> list[dict[str, Any]]:
    return [block for block in blocks(kind) if "kind" in block]


def spelled_out(value: Any, path: str) -> Iterator[str]:
    """Yield the path of every field that a manifest sets."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield f"{path}.{name}"
            yield from spelled_out(child, f"{path}.{name}")
    elif isinstance(value, list):
        for child in value:
            yield from spelled_out(child, f"{path}[]")


@pytest.mark.parametrize("kind", KINDS)
def test_the_generated_parts_are_those_of_the_models(kind: str) -> None:
    path = Path("docs") / f"{kind.lower()}.md"
    assert rendered_pages(ROOT)[path] == page(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_manifest_can_be_read(kind: str) -> None:
    assert len(manifests(kind)) >= 2
    for obj in manifests(kind):
        KINDS[kind].parse(obj)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_spec_has_an_example(kind: str) -> None:
    shown = {path for obj in manifests(kind) for path in spelled_out(obj["spec"], "spec")}
    patterns = [
        (path, re.compile(re.escape(path).replace(r"\.\*", r"\.[^.\[]+") + "$"))
        for path, _ in walk(schemas()[kind])
        if path.startswith("spec.") and not path.endswith(("[]", ".*"))
    ]
    assert [path for path, pattern in patterns if not any(pattern.match(each) for each in shown)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_row(kind: str) -> None:
    text = page(kind)
    for path, _ in walk(schemas()[kind]):
        if path.startswith(("spec.", "status.")) and not path.endswith(("[]", ".*")):
            assert f"\n| `{path}` |" in text, path


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_and_reasons_are_listed(kind: str) -> None:
    text = page(kind)
    for condition in ConditionType:
        (row,) = re.findall(rf"^\| {condition} \|.*$", text, re.MULTILINE) or [None]
        assert (row is not None) == condition.applies_to(kind)
    for reason in Reason:
        assert (f"\n| {reason} |" in text) == reason.applies_to(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_examples_of_a_status_use_known_words_and_fields(kind: str) -> None:
    model = KINDS[kind]
    statuses = [block["status"] for block in blocks(kind) if set(block) == {"status"}]
    assert statuses
    known = {path for path, _ in walk(build_schema(model))}
    for status in statuses:
        assert set(spelled_out(status, "status")) <= known
    shown = [condition for block in [*statuses, *blocks(kind)] for condition in block.get("conditions", [])]
    for condition in shown:
        assert ConditionType(condition["type"]).applies_to(kind)
        assert Reason(condition["reason"]).applies_to(kind)


def test_a_page_without_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="must have each of"):
        reference.refresh("# Bot\n", "Bot", build_schema(Bot))
