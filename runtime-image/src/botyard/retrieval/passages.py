"""Cuts documents into passages: what one answer of a retrieval consists of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_CHARACTERS = 1_200
"""Of one passage: a few paragraphs, so that several fit into a model's prompt."""
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
_FENCE = re.compile(r"^\s*(```|~~~)")


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document."""

    text: str
    source: str
    """File, relative to the collection."""
    heading: str
    """Headings above it, outermost first, joined by " > "; empty where there are none."""
    number: int
    """Position in its document, from 0."""


def cut(text: str, source: str, *, markdown: bool) -> list[Passage]:
    """Return a document's passages: paragraphs put together up to MAX_CHARACTERS, never across a heading.

    Args:
        text: The document.
        source: Its name.
        markdown: Lines with `#` are headings.
    """
    passages: list[Passage] = []
    for heading, paragraphs in _sections(text, markdown=markdown):
        for body in _packed(paragraphs):
            passages.append(Passage(body, source, heading, len(passages)))
    return passages


def _sections(text: str, *, markdown: bool) -> Iterator[tuple[str, list[str]]]:
    headings: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced = fenced is not bool(_FENCE.match(line))
        found = _HEADING.match(line) if markdown and not fenced else None
        if found is None:
            lines.append(line)
            continue
        yield " > ".join(title for _, title in headings), _paragraphs(lines)
        lines = []
        level = len(line) - len(line.lstrip("#"))
        headings = [*[each for each in headings if each[0] < level], (level, found.group(1))]
    yield " > ".join(title for _, title in headings), _paragraphs(lines)


def _paragraphs(lines: list[str]) -> list[str]:
    joined = "\n".join(line.rstrip() for line in lines)
    return [paragraph.strip("\n") for paragraph in re.split(r"\n\s*\n", joined) if paragraph.strip()]


def _packed(paragraphs: list[str]) -> Iterator[str]:
    body = ""
    for paragraph in paragraphs:
        for piece in _pieces(paragraph):
            if body and len(body) + len(piece) + 2 > MAX_CHARACTERS:
                yield body
                body = piece
            else:
                body = f"{body}\n\n{piece}" if body else piece
    if body:
        yield body


def _pieces(paragraph: str) -> Iterator[str]:
    """Cut a paragraph that is too long: at the end of a sentence, else at a space, else where it is full."""
    while len(paragraph) > MAX_CHARACTERS:
        window = paragraph[:MAX_CHARACTERS]
        ends = [match.end() for match in re.finditer(r"[.!?।。]\s+|\n", window)]
        at = ends[-1] if ends and ends[-1] > MAX_CHARACTERS // 2 else window.rfind(" ")
        at = at if at > 0 else MAX_CHARACTERS
        yield paragraph[:at].strip()
        paragraph = paragraph[at:].strip()
    if paragraph:
        yield paragraph
