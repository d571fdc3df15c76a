"""What install functions declare; see `botyard.loop.install`."""

from pathlib import Path
from typing import Any

from botyard.loop.declaration import version_number
from botyard.loop.install import FMarketplaceExpertInput, UpsertedBot, record

__all__ = ["FMarketplaceExpertInput", "marketplace_upsert_dev_bot"]


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
