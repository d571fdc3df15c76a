"""The Bot's configuration and its Personas as mounted files, read again whenever they change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from botyard.contract import names
from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig, PersonaSecrets, PersonaShard
from botyard.contract.prices import PRICES_FILE, InvalidPrices, PriceTable, parse_prices

log = logging.getLogger("botyard.configuration")

LOOK_EVERY = 0.5
"""Seconds between looks at the mounted files: one stat for each file."""


class Configuration:
    """What the mounted ConfigMaps and Secrets say now."""

    def __init__(self, *, config: Path, personas: Path, credentials: Path, persona_secrets: Path | None = None) -> None:
        """Remember where to look.

        Args:
            config: Folder that holds `bot.json`, and `prices.yaml` where there is a price table.
            personas: Folder of shard folders, each with `personas.json`.
            credentials: Folder with one file for each credential of the bundle.
            persona_secrets: Folder with what Personas keep in Secrets, `<persona>.json`; None: none do.
        """
        self.folder = config
        """Holds `bot.json` and what lies beside it."""
        self._bot_file = config / names.BOT_FILE
        self._prices_file = config / PRICES_FILE
        self._personas_dir = personas
        self._credentials_dir = credentials
        self._persona_secrets_dir = persona_secrets
        self._stamp: object = None
        self.bot: BotConfig = BotConfig(namespace="", name="")
        self.personas: Mapping[str, PersonaConfig] = {}
        self.prices = PriceTable()

    def load(self) -> None:
        """Read everything.

        Raises:
            OSError: `bot.json` cannot be read.
            ValidationError: It is not a BotConfig.
        """
        self._stamp = self._look()
        self.bot = BotConfig.model_validate_json(self._bot_file.read_bytes())
        listed = [self._complete(persona) for shard in self._shards() for persona in shard.personas]
        self.personas = {persona.name: persona for persona in listed if persona is not None}
        self._load_prices()

    def _load_prices(self) -> None:
        """Read the price table; one that cannot be read at all leaves the last good one in force."""
        try:
            self.prices = parse_prices(self._prices_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.prices = PriceTable()
        except (OSError, UnicodeDecodeError, InvalidPrices) as error:
            log.error("the changed price table is not used: %s", error)
            return
        for broken in self.prices.broken:
            log.error("price of %s is not usable: %s", broken.model or "an entry without a model", broken.problem)

    def _shards(self) -> list[PersonaShard]:
        shards = []
        for path in sorted(self._personas_dir.glob(f"*/{names.PERSONAS_FILE}")):
            try:
                shards.append(PersonaShard.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError) as error:
                log.error("personas in %s are skipped: %s", path.name, error)
        return shards

    def _complete(self, persona: PersonaConfig) -> PersonaConfig | None:
        """Return a Persona with what of it is kept in Secrets; while that is not there, as it was before."""
        if not persona.secrets_version or self._persona_secrets_dir is None:
            return persona
        path = self._persona_secrets_dir / f"{persona.name}.json"
        try:
            secrets = PersonaSecrets.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            # Nothing of the content may get into the log.
            log.error("secrets of persona %s cannot be read yet; it stays as it was", persona.name)
            return self.personas.get(persona.name)
        kept = {"setup": persona.setup | secrets.setup, "mongo_uri": secrets.mongo, "database": secrets.database}
        return persona.model_copy(update=kept)

    def credentials(self) -> dict[str, str]:
        """Return the bundle's credentials by name, as mounted now."""
        if not self._credentials_dir.is_dir():
            return {}
        files = [path for path in self._credentials_dir.iterdir() if path.is_file() and path.name[0] != "."]
        return {path.name: path.read_text(encoding="utf-8") for path in files}

    def _look(self) -> object:
        paths = [self._bot_file, self._prices_file, *sorted(self._personas_dir.glob(f"*/{names.PERSONAS_FILE}"))]
        if self._persona_secrets_dir is not None:
            paths += sorted(self._persona_secrets_dir.glob("*.json"))
        stamps = []
        for path in paths:
            try:
                # A mounted ConfigMap is swapped by a link, so the file behind the name has another inode.
                found = path.stat()
            except OSError:
                continue
            stamps.append((str(path), found.st_ino, found.st_mtime_ns, found.st_size))
        return stamps

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Read again on every change and call `changed`; what cannot be read leaves the last good content in force."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if self._look() == self._stamp:
                continue
            try:
                self.load()
            except (OSError, ValidationError) as error:
                log.error("the changed configuration is not used: %s", error)
                continue
            log.info("configuration reloaded: generation %s, %s personas", self.bot.generation, len(self.personas))
            await changed()
