"""Name and version of a bot from its files."""

from pathlib import Path


def bot_name_from_file(file: str) -> str:
    """Return the name of the folder that holds `file`."""
    return Path(file).resolve().parent.name


def read_version_file(file: str) -> str:
    """Return what VERSION says, two folders above `file`, or beside it where there is none.

    Raises:
        FileNotFoundError: There is no such file.
    """
    here = Path(file).resolve()
    for folder in (here.parent.parent, here.parent):
        if (found := folder / "VERSION").is_file():
            return found.read_text(encoding="utf-8").strip()
    raise FileNotFoundError(f"there is no VERSION in {here.parent.parent.name} or {here.parent.name}")
