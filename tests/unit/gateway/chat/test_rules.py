"""Types of users, bundles' names and files."""

import io
import zipfile

import pytest

from botyard.contract.names import bot_name_of
from botyard.gateway.chat.attachments import attachment, refusal
from botyard.gateway.chat.users import ALLOWANCES, UserRules, allowances_of

RULES = UserRules(paid_groups=frozenset({"oidc:gold"}), privileged_groups=frozenset({"oidc:staff"}))


@pytest.mark.parametrize(
    ("groups", "acts", "known", "kind"),
    [
        ((), False, False, "anonymous"),
        ((), False, True, "registered"),
        (("oidc:gold",), False, True, "paid"),
        (("oidc:gold", "oidc:staff"), False, True, "privileged"),
        ((), True, True, "privileged"),
        (("gold",), False, True, "registered"),
    ],
)
def test_types_follow_from_groups_and_verbs(groups: tuple[str, ...], acts: bool, known: bool, kind: str) -> None:
    assert RULES.type_of(groups, acts_for_others=acts, known=known) == kind


def test_allowances_are_changed_by_type() -> None:
    found = allowances_of("registered=1000/50, privileged=unlimited/9")
    assert (found["registered"].hourly, found["registered"].burst) == (1000, 50)
    assert (found["privileged"].hourly, found["privileged"].burst) == (None, 9)
    assert found["paid"] == ALLOWANCES["paid"]


@pytest.mark.parametrize("text", ["x", "guest=1/1", "paid=1", "paid=-1/2", "paid=1/many"])
def test_allowances_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOURLY/BURST"):
        allowances_of(text)


@pytest.mark.parametrize(
    ("bundle", "name"),
    [("demo.hello", "demo-hello"), ("My_Bundle", "my-bundle"), ("react@2026-01", "react-2026-01"), ("../x", "x")],
)
def test_a_bundles_id_becomes_a_name(bundle: str, name: str) -> None:
    assert bot_name_of(bundle) == name


def packed(**files: bytes) -> bytes:
    """Return an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"hello", ""),
        ("report.docx", packed(word__document_xml=b"<x/>"), ""),
        ("a.png", b"\x7fELF...", "program"),
        ("run.SH", b"echo", "program"),
        ("a.txt", b"#!/bin/sh", "program"),
        ("a.zip", packed(inner_exe=b"x"), "program in it"),
        ("bomb.zip", packed(a_txt=bytes(50_000_000)), "archive of 50000000 bytes"),
        ("broken.zip", b"PK\x03\x04nonsense", "cannot be read"),
        ("virus.txt", b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*", "malware"),
        ("empty", b"", "empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_files_are_told_by_their_content(name: str, content: bytes, reason: str) -> None:
    found = refusal(attachment(name, "text/plain", content, 0))
    assert (reason in found) if reason else found == ""


@pytest.mark.parametrize(
    ("given", "name"),
    [("../../etc/passwd", "passwd"), ("C:\\x\\y.txt", "y.txt"), (None, "file-3"), ("..", "file-3"), ("a\r\nb", "a_b")],
)
def test_names_of_files_are_names(given: str | None, name: str) -> None:
    assert attachment(given, "no type", b"x", 2).name == name
