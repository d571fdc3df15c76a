"""What `botyard dev` makes of its arguments: the files that a pod would have mounted."""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from botyard.budget.accounts import time_zone
from botyard.cli.errors import EXIT_USAGE, CommandError
from botyard.contract import names
from botyard.contract.bot import BotConfig, Entrypoint, Limits, ProgrammingModel
from botyard.contract.model import SCRIPT_SUFFIX, ModelConfig
from botyard.contract.persona import PersonaConfig, PersonaSecrets, PersonaShard
from botyard.erp import filters
from botyard.erp.filters import FilterError
from botyard.models.script import ScriptError
from botyard.models.script_file import ScriptFile

NAMESPACE = "dev"
_SCRIPT = f"dev{SCRIPT_SUFFIX}"
_CREDENTIAL = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")


@dataclass(frozen=True, slots=True)
class Mounts:
    """Folders as in a runtime pod."""

    config: Path
    personas: Path
    credentials: Path
    persona_secrets: Path


def bot_name(folder: Path) -> str:
    """Return a Kubernetes name from the folder's name.

    Raises:
        CommandError: Nothing of the folder's name can stand in one.
    """
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:63].strip("-")
    if not name:
        raise CommandError(f"dev: no bot can be named after the folder {folder}; give --name", code=EXIT_USAGE)
    return name


def bot_config(
    name: str,
    *,
    entrypoint: str,
    config: Path | None,
    turn_timeout: float,
    scripted: bool = False,
    model: ProgrammingModel = "auto",
) -> BotConfig:
    """Return the Bot's configuration.

    Args:
        name: The bot's name.
        entrypoint: `module:symbol`, `module` or nothing.
        config: YAML file with the free-form properties of `spec.config`.
        turn_timeout: Seconds that one turn may take.
        scripted: Whether it has a model, which answers by a script.
        model: Its programming model, where that is known.

    Raises:
        CommandError: The file cannot be read or holds no object.
    """
    module, _, symbol = entrypoint.partition(":")
    content = _load(config) if config else {}
    if not isinstance(content, dict):
        raise CommandError(f"dev: {config} must hold an object of properties", code=EXIT_USAGE)
    return BotConfig(
        namespace=NAMESPACE,
        name=name,
        entrypoint=Entrypoint(model=model, module=module, symbol=symbol),
        limits=Limits(turn_timeout_seconds=turn_timeout),
        config=content,
        model=ModelConfig(provider="scripted", name="scripted", script=_SCRIPT) if scripted else None,
    )


def model_script(path: Path | None) -> Path | None:
    """Return where a model script is.

    Raises:
        CommandError: It cannot be read or is none.
    """
    if path is None:
        return None
    try:
        ScriptFile(path).load()
    except OSError as error:
        raise CommandError(f"dev: cannot read {path}: {error.strerror}", code=EXIT_USAGE) from None
    except ScriptError as error:
        raise CommandError(f"dev: {path} is no model script: {error}", code=EXIT_USAGE) from None
    return path.absolute()


def personas(paths: Sequence[Path]) -> PersonaShard:
    """Return the Personas of manifest files.

    Raises:
        CommandError: A file cannot be read or holds something else.
    """
    documents = [(document, path) for path in paths for document in _documents(path)]
    secrets = {name: data for document, _ in documents if (found := _secret(document)) for name, data in (found,)}
    personas = [_persona(document, path, secrets) for document, path in documents if _secret(document) is None]
    return PersonaShard(personas=tuple(personas))


def credentials(path: Path | None) -> dict[str, str]:
    """Return the credentials of a file of `NAME=value` lines.

    Raises:
        CommandError: The file cannot be read or a line is none.
    """
    if path is None:
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(_read(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _CREDENTIAL.fullmatch(line)
        if match is None:
            raise CommandError(f"dev: {path}:{number}: a credential is written NAME=value", code=EXIT_USAGE)
        value = match[2].strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[match[1]] = value
    return found


def write(
    folder: Path, bot: BotConfig, shard: PersonaShard, secrets: dict[str, str], script: Path | None = None
) -> Mounts:
    """Write everything below `folder` as it is mounted in a pod."""
    mounts = Mounts(folder / "config", folder / "personas", folder / "credentials", folder / "persona-secrets")
    for path in (mounts.config, mounts.personas / "0", mounts.credentials, mounts.persona_secrets):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    for persona in shard.personas:
        if persona.secrets_version:
            kept = PersonaSecrets(mongo=persona.mongo_uri, database=persona.database)
            (mounts.persona_secrets / f"{persona.name}.json").write_text(kept.to_json(), encoding="utf-8")
    (mounts.config / names.BOT_FILE).write_text(bot.to_json(), encoding="utf-8")
    (mounts.personas / "0" / names.PERSONAS_FILE).write_text(shard.to_json(), encoding="utf-8")
    if script is not None:
        # The file itself, so that an edit of it is in force at once.
        (mounts.config / _SCRIPT).symlink_to(script)
    for name, value in secrets.items():
        (mounts.credentials / name).write_text(value, encoding="utf-8")
    return mounts


Secrets = Mapping[str, Mapping[str, str]]
"""Entries of Secrets, by the Secret's name."""


def _secret(document: Any) -> tuple[str, dict[str, str]] | None:
    """Return name and entries of a Secret's manifest; None if it is none."""
    if not isinstance(document, dict) or document.get("kind") != "Secret":
        return None
    encoded = {key: b64decode(str(value)).decode() for key, value in (document.get("data") or {}).items()}
    plain = {key: str(value) for key, value in (document.get("stringData") or {}).items()}
    return str((document.get("metadata") or {}).get("name")), encoded | plain


def _entry(secrets: Secrets, reference: Any, entry: Any, path: Path) -> str:
    """Return an entry of a Secret that the files hold.

    Raises:
        CommandError: They hold none.
    """
    name = str((reference or {}).get("name"))
    try:
        return secrets[name][str(entry)]
    except KeyError:
        message = f"dev: {path}: no file holds a Secret {name} with the entry {entry}"
        raise CommandError(message, code=EXIT_USAGE) from None


def _persona(document: Any, path: Path, secrets: Secrets) -> PersonaConfig:
    if not isinstance(document, dict) or document.get("kind") != "Persona":
        kind = document.get("kind") if isinstance(document, dict) else None
        raise CommandError(
            f"dev: {path} must hold Personas and Secrets, not {kind or 'something else'}", code=EXIT_USAGE
        )
    spec = document.get("spec") or {}
    metadata = document.get("metadata") or {}
    known = ("displayName", "setup", "maxInProgress", "budget", "schedules")
    fields = {name: spec[name] for name in known if name in spec}
    if (erp := spec.get("erp")) is not None:
        fields["subscriptions"] = _subscriptions(erp) if isinstance(erp, dict) else erp
    try:
        for item in spec.get("setupFrom") or ():
            reference = item.get("secretKeyRef") or {}
            fields.setdefault("setup", {})[item.get("key")] = _entry(secrets, reference, reference.get("key"), path)
        if "mongo" in spec:
            fields["mongoUri"] = _entry(secrets, (spec["mongo"] or {}).get("secretRef"), "uri", path)
        if isinstance(erp, dict) and "connectionSecretRef" in erp:
            fields["secretsVersion"] = "dev"
            fields["database"] = _entry(secrets, erp["connectionSecretRef"], "uri", path)
        persona = PersonaConfig.model_validate({"name": metadata.get("name"), **fields})
        time_zone(persona.budget.time_zone)
        for subscription in persona.subscriptions or ():
            filters.parse(list(subscription.where))
    except FilterError as error:
        raise CommandError(f"dev: {path}: erp.subscriptions: {error}", code=EXIT_USAGE) from None
    except ValueError as error:
        problem = _first(error) if isinstance(error, ValidationError) else f"budget.timeZone: {error}"
        raise CommandError(f"dev: {path}: {problem}", code=EXIT_USAGE) from None
    return persona


def _subscriptions(erp: dict[str, Any]) -> Any:
    """Return what a Persona subscribes to; None: it leaves that to its bundle."""
    return erp.get("subscriptions", None if "connectionSecretRef" in erp else ())


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _documents(path: Path) -> Iterator[Any]:
    try:
        yield from (document for document in yaml.safe_load_all(_read(path)) if document is not None)
    except yaml.YAMLError as error:
        raise CommandError(f"dev: {path} is not YAML: {error}", code=EXIT_USAGE) from None


def _load(path: Path) -> Any:
    return next(_documents(path), {})


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise CommandError(f"dev: cannot read {path}: {reason}", code=EXIT_USAGE) from None
