"""Reasons of Bots and Personas are documented with an example and a way out."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from botyard_operator.api.bot_guidance import BOT, PERSONA
from botyard_operator.api.guidance import Guidance
from botyard_operator.api.reasons import Reason

DOCS = Path(__file__).parents[4] / "docs"
TABLES = [("Bot", BOT), ("Persona", PERSONA)]


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_help_is_for_reasons_that_the_kind_has(kind: str, table: Mapping[Reason, Guidance]) -> None:
    assert not [reason for reason in table if not reason.applies_to(kind)]


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_each_is_on_the_page_of_its_kind(kind: str, table: Mapping[Reason, Guidance]) -> None:
    lines = (DOCS / f"{kind.lower()}.md").read_text().splitlines()
    for reason, guidance in table.items():
        (row,) = [line for line in lines if line.startswith(f"| {reason} |")]
        assert guidance.example.replace("|", "\\|") in row
        assert guidance.way_out.endswith(".")
        assert guidance.way_out.replace("|", "\\|") in row


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_every_reason_of_the_kind_has_an_example_and_a_way_out(kind: str, table: Mapping[Reason, Guidance]) -> None:
    assert [reason for reason in Reason if reason.applies_to(kind) and reason not in table] == []
