"""From kept envelopes to what clients get."""

import json

import pytest

from botyard.gateway.chat import wire
from botyard.gateway.chat.wire import Positions


def test_the_platforms_own_is_taken_out() -> None:
    kept = '{"type":"chat.step","delivery":{"event":"chat_service","audience":"everyone","target":"s1"},"ts":1}'
    sent = wire.sent(kept)
    assert (sent.event, sent.type, sent.target, sent.audience) == ("chat_service", "chat.step", "s1", "everyone")
    assert json.loads(sent.data) == {"type": "chat.step", "ts": 1}


def test_what_is_broadcast_is_for_all() -> None:
    assert wire.sent('{"type":"x","delivery":{"broadcast":true,"target":"s1"},"ts":1}').target == ""


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("chat.delta", "chat_delta"),
        ("chat.complete", "chat_complete"),
        ("chat.files", "chat_step"),
        ("bot.message", "chat_step"),
        ("turn.restarted", "chat_service"),
        ("budget.exceeded", "chat_service"),
    ],
)
def test_what_does_not_say_how_it_travels_is_told_by_its_type(kind: str, event: str) -> None:
    assert wire.sent(json.dumps({"type": kind, "data": {}}, separators=(",", ":"))).event == event


def test_an_envelope_of_another_order_is_understood() -> None:
    sent = wire.sent('{"ts": 1, "delivery": {"event": "chat_error"}, "type": "odd"}')
    assert (sent.event, json.loads(sent.data)) == ("chat_error", {"ts": 1, "type": "odd"})


def test_positions_come_back_as_they_went() -> None:
    positions = Positions()
    positions.reached("demo.bot/conv=1", 5)
    positions.reached("b/c:2", 7)
    again = Positions(str(positions))
    assert (again.of("demo.bot/conv=1"), again.of("b/c:2"), again.of("b/c")) == (5, 7, None)


def test_positions_are_bounded_and_rubbish_is_left_out() -> None:
    positions = Positions("x,=,a/b=,a/b=-1,a/b=9999999999999999999,\n,a/b=3")
    assert str(positions) == "a/b=3"
    for number in range(100):
        positions.reached(f"a/{number}", 1)
    assert str(positions).count(",") == wire.MOST_POSITIONS - 1


def test_a_frame_is_one_event() -> None:
    assert wire.frame("chat_delta", "{}", "a/b=1") == b"id: a/b=1\nevent: chat_delta\ndata: {}\n\n"
    assert wire.frame("ready", "{}") == b"event: ready\ndata: {}\n\n"
