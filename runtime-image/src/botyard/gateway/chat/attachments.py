"""Which files of users are taken. Pure: what they are is told by their content, not by what is said of them."""

import io
import re
import zipfile
from dataclasses import dataclass

MOST_FILES = 20
"""Of one message."""
MOST_PACKED = 10_000
"""Entries of an archive."""
MOST_UNPACKED = 512 * 1024 * 1024
"""Bytes that an archive may have when it is unpacked."""
MOST_RATIO = 200
"""How often an archive of more than a megabyte may be larger unpacked."""

_PROGRAMS = (
    b"MZ",  # Windows, DOS
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",  # macOS, in four forms
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",  # macOS for several processors, and Java classes
    b"\x00asm",
    b"#!",
)
_ENDINGS = frozenset(
    (
        *("apk", "app", "bat", "class", "cmd", "com", "cpl", "deb", "dll", "dmg", "dylib", "exe", "hta", "jar", "jse"),
        *("lnk", "msi", "pkg", "ps1", "reg", "rpm", "scr", "sh", "so", "sys", "vbe", "vbs", "wsf"),
    )
)
_EICAR = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\]+")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it came."""

    name: str
    type: str
    content: bytes


def attachment(name: str | None, media_type: str | None, content: bytes, number: int) -> Attachment:
    """Return a file under a name that is a name, and a media type that is one."""
    cleaned = _NOT_IN_NAMES.sub("_", (name or "").replace("\\", "/").rpartition("/")[2]).strip(". ")[:255]
    kind = (media_type or "").partition(";")[0].strip().lower()
    return Attachment(
        cleaned or f"file-{number + 1}", kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream", content
    )


def refusal(file: Attachment) -> str:
    """Return why a file is not taken; empty: it is."""
    if not file.content:
        return "it is empty"
    if any(file.content.startswith(magic) for magic in _PROGRAMS):
        return "it is a program"
    if file.name.rpartition(".")[2].lower() in _ENDINGS:
        return "its name is that of a program"
    if _EICAR in file.content[:1024]:
        return "it is known as malware"
    if file.content.startswith(b"PK\x03\x04"):
        return _packed(file.content)
    return ""


def _packed(content: bytes) -> str:
    """Look into an archive, which office documents are as well, without unpacking it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
        return "it is an archive that cannot be read"
    if len(entries) > MOST_PACKED:
        return f"it is an archive of more than {MOST_PACKED} files"
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MOST_UNPACKED or (unpacked > 1_000_000 and unpacked > MOST_RATIO * len(content)):
        return f"it is an archive of {unpacked} bytes in {len(content)}"
    for entry in entries:
        if entry.filename.startswith("/") or ".." in entry.filename.split("/"):
            return "it is an archive whose files would lie outside of it"
        if entry.filename.rpartition(".")[2].lower() in _ENDINGS:
            return "it is an archive with a program in it"
    return ""
