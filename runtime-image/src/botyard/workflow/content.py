"""The digest of a bundle's content."""

import hashlib
from pathlib import Path

DIGITS = 12
_NOT_CONTENT = frozenset({".git", "__pycache__"})


def content_digest(path: Path) -> str:
    """Return the version of a bundle's folder or file: a digest of the names and bytes of its files, in order."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    for file in files:
        inside = file.relative_to(path if path.is_dir() else path.parent)
        if _NOT_CONTENT.isdisjoint(inside.parts):
            digest.update(inside.as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:DIGITS]
