"""What install functions declare; see `botyard.loop.install`."""

from pathlib import Path
from typing import Any

from botyard.loop.declaration import version_number
from botyard.loop.errors import PlatformError
from botyard.loop.install import FMarketplaceExpertInput, UpsertedBot, record

__all__ = [
    "FMarketplaceExpertInput",
    "bot_install_from_marketplace",
    "load_form_bundles",
    "marketplace_upsert_dev_bot",
]

MAX_FORM = 1024 * 1024
"""Bytes of one form."""


async def marketplace_upsert_dev_bot(client: Any, *positional: Any, **declared: Any) -> UpsertedBot:
    """Declare a bot; name and version may come as arguments or with the folder (`bot_dir`).

    Raises:
        ValueError: There is no default expert, or the setup schema is not sound.
    """
    record(declared)
    name = str(declared.get("marketable_name") or "")
    version = str(declared.get("marketable_version") or "")
    if (folder := declared.get("bot_dir")) is not None:
        name = name or Path(folder).name
        file = Path(folder) / "VERSION"
        version = version or (file.read_text().strip() if file.is_file() else "")
    return UpsertedBot(marketable_name=name, marketable_version=version_number(version) if version else 0)


def load_form_bundles(file: str | Path) -> dict[str, str]:
    """Return the texts of `forms/*` beside `file` (or in that folder), by name without the ending."""
    here = Path(file)
    folder = (here if here.is_dir() else here.parent) / "forms"
    return {
        path.stem: path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*"))
        if path.is_file() and path.stat().st_size <= MAX_FORM
    }


async def bot_install_from_marketplace(*_: Any, **__: Any) -> Any:
    """Refuse: bots are hired by declaring a Persona.

    Raises:
        PlatformError: Always.
    """
    raise PlatformError("there is no marketplace: declare a Persona of the Bot to hire it", "NotThere")
