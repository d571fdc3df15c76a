"""How a conversation reads in a terminal."""

import pytest

from botyard.cli import sse
from botyard.cli.chat.transcript import lines_of, message_of, options_of
from botyard.cli.client import Event


def event(kind: str, /, **data: object) -> Event:
    return Event("1", kind, {"type": kind, "data": data})


def test_events_are_read_with_comments_and_fields_in_any_order() -> None:
    lines = [": hello", "retry: 5", "", "event: a", "id: 1", "data: {}", "", "data:x", "data: y", ""]
    lines += ["id: 3", "", "event: b", "data: z", "", "data: unfinished"]
    assert [(found.id, found.type, found.data) for found in sse.parse(lines)] == [
        ("1", "a", "{}"),
        ("1", "message", "x\ny"),
        ("3", "b", "z"),
    ]


def test_a_message_with_options_shows_their_numbers() -> None:
    said = event(
        "bot.message",
        kind="buttons",
        header="Hi",
        text="Red or\nblue?",
        options=[{"id": "r", "title": "Red"}, {"id": "b"}],
    )
    assert lines_of(said, "bot") == ["bot> Hi", "     Red or", "     blue?", "     1. Red", "     2. b"]
    assert options_of(said) == [{"id": "r", "title": "Red"}, {"id": "b"}]


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        (
            "bot.message",
            {"kind": "image", "text": "", "media": {"url": "https://a/b.png"}},
            "bot> [image] https://a/b.png",
        ),
        ("bot.message", {"kind": "form", "text": "Fill", "form": {"id": "f1"}}, "bot> Fill"),
        ("bot.message", {"kind": "dialog", "text": ""}, "bot> [dialog]"),
        ("chat.error", {"kind": "ValueError", "message": "no"}, "bot! ValueError: no"),
        ("turn.restarted", {}, "bot… begins again after an interruption"),
    ],
)
def test_other_events_read_as_one_line(kind: str, data: dict[str, object], line: str) -> None:
    assert lines_of(event(kind, **data), "bot")[0] == line


def test_what_only_machines_need_is_not_shown() -> None:
    assert lines_of(event("chat.complete", committed=True), "bot") == []


def test_a_bot_cannot_steer_the_terminal() -> None:
    (line,) = lines_of(event("bot.message", text="a\x1b[2Jb\x07"), "bot")
    assert line == "bot> a [2Jb "


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1", {"options": [{"id": "r", "title": "Red"}]}),
        (" 2 ", {"options": [{"id": "b", "title": ""}]}),
        ("3", {"text": "3"}),
        ("0", {"text": "0"}),
        ("red", {"text": "red"}),
    ],
)
def test_a_number_chooses_an_option(line: str, message: dict[str, object]) -> None:
    assert message_of(line, [{"id": "r", "title": "Red"}, {"id": "b"}]) == message


def test_without_options_a_number_is_text() -> None:
    assert message_of("1", []) == {"text": "1"}
