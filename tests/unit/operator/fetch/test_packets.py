"""Packets of git's protocol: what servers really send is read, and anything else is refused without harm."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard_operator.fetch.packets import Capabilities, ProtocolError, ask_for_refs, read_capabilities, read_refs

COMMIT, TAG, LONG = "c" * 40, "a" * 40, "d" * 64


def packets(*lines: str | None) -> bytes:
    """Frame lines; None ends a section."""
    return b"".join(b"0000" if line is None else f"{len(line) + 4:04x}{line}".encode() for line in lines)


def test_the_capabilities_of_a_server_are_read() -> None:
    greeting = packets("# service=git-upload-pack\n", None, "version 2\n", "agent=git/2.39.5\n", "ls-refs=unborn\n")
    assert read_capabilities(greeting + packets("fetch=shallow filter\n", None)) == Capabilities("")
    named = packets("version 2\n", "ls-refs\n", "object-format=sha256\n", None)
    assert read_capabilities(named) == Capabilities("sha256")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>please log in</html>",
        packets("# service=git-upload-pack\n", None, f"{COMMIT} HEAD\0multi_ack\n", None),
        packets("version 2\n", "fetch\n", None),
        packets("version 2\n", "ls-refs\n")[:-3],
        b"fff9" + b"x" * 100,
        b"0003",
    ],
    ids=["nothing", "a page", "version 0", "no refs", "cut off", "longer than there is", "shorter than its head"],
)
def test_what_is_no_greeting_of_version_2_is_refused(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_capabilities(answer)


def test_refs_are_asked_for_by_the_beginning_of_their_names() -> None:
    asked = ask_for_refs({"refs/heads/main", "refs/tags/"}, Capabilities("sha1"))
    assert asked == (
        b"0014command=ls-refs\n0016object-format=sha10001"
        b"0009peel\n001fref-prefix refs/heads/main\n001aref-prefix refs/tags/\n0000"
    )
    assert b"object-format" not in ask_for_refs({"refs/heads/main"}, Capabilities())


def test_refs_are_read_with_what_tags_stand_for() -> None:
    answer = packets(
        f"{COMMIT} HEAD symref-target:refs/heads/main\n",
        f"{COMMIT} refs/heads/main\n",
        f"{TAG} refs/tags/v1 peeled:{COMMIT}\n",
        f"{LONG} refs/heads/long\n",
        None,
    )
    assert read_refs(answer) == {
        "HEAD": COMMIT,
        "refs/heads/main": COMMIT,
        "refs/tags/v1": TAG,
        "refs/tags/v1^{}": COMMIT,
        "refs/heads/long": LONG,
    }
    assert read_refs(packets(None)) == {}


@pytest.mark.parametrize(
    "answer",
    [
        packets("ERR upload-pack: not our ref\n", None),
        packets(f"{COMMIT} refs/heads/main\n"),
        packets(f"{COMMIT[:-1]} refs/heads/main\n", None),
        packets(f"{COMMIT} refs/heads/\x1b[31mred\n", None),
        b"\x00\xff\x13garbage\n" * 10,
    ],
    ids=["an error", "without an end", "a short id", "a control character", "garbage"],
)
def test_what_is_no_list_of_refs_is_refused(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_refs(answer)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(answer: bytes) -> None:
    for read in (read_capabilities, read_refs):
        try:
            read(answer)
        except ProtocolError:
            continue


@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=6))
def test_any_packets_are_read_or_refused(lines: list[str | None]) -> None:
    framed = b"".join(
        b"0000" if line is None else f"{len(line.encode()) + 4:04x}".encode() + line.encode() for line in lines
    )
    with contextlib.suppress(ProtocolError):
        read_refs(framed)
