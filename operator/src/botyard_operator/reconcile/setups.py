"""A Persona's setup against the setup schema of its bundle, and what of it is kept in Secrets."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from botyard.contract import names
from botyard.loop import setup
from botyard.loop.setup import SetupField
from botyard_operator.api.persona import Persona
from botyard_operator.api.reasons import Reason
from botyard_operator.reconcile.base import Context, JsonObject, Key
from botyard_operator.reconcile.problems import Problem

MAX_TOLD = 8
"""Keys that one message names."""
ADDRESS_ENTRY = "uri"
"""Entry of the Secrets of `spec.mongo` and `spec.erp.connectionSecretRef`."""
_PLACES = {"mongo": "spec.mongo", "database": "spec.erp.connectionSecretRef"}
_POSTGRES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Schema:
    """The setup schema of a bundle.

    Attributes:
        bundle: Whose it is.
        fields: By the key of the setup.
    """

    bundle: str
    fields: Mapping[str, SetupField]


async def schema_of(bot: JsonObject | None, ctx: Context) -> Schema | None:
    """Return the schema that the Personas of a Bot must keep to; None: none is known, so nothing can be checked."""
    bundle, manifest = await manifest_of(bot, ctx)
    return parse(bundle, manifest) if bundle else None


async def manifest_of(bot: JsonObject | None, ctx: Context) -> tuple[str, str]:
    """Return a Bot's Bundle and the full manifest of it, as JSON text; empty where they are not known."""
    reference = ((bot or {}).get("spec") or {}).get("bundleRef") or {}
    if bot is None or not reference.get("name"):
        return "", ""
    namespace = reference.get("namespace") or bot["metadata"]["namespace"]
    data = await ctx.kube.config_map(namespace, names.manifest_name(reference["name"])) or {}
    return str(reference["name"]), data.get(names.MANIFEST_FILE, "")


def parse(bundle: str, manifest: str) -> Schema | None:
    """Return the schema of a manifest; None where it says none, or its install function could not be run."""
    try:
        content = json.loads(manifest or "{}")
        declared = (content.get("extra") or {}).get("setup")
        if not isinstance(declared, list):
            return None
        findings = content.get("findings") or ()
        if any(finding.get("code") == "NotInstalled" for finding in findings):
            return None
        return Schema(bundle, setup.parse_schema(declared))
    except (ValueError, AttributeError, RecursionError):
        return None


def problems(schema: Schema, given: Mapping[str, Any], secret: Collection[str] = ()) -> list[str]:
    """Return what is wrong with a setup, key by key, in words that say what to write.

    Args:
        schema: Of the bundle.
        given: `spec.setup`.
        secret: Keys that are kept in Secrets.
    """
    return list(_problems(schema, given, secret))


def _problems(schema: Schema, given: Mapping[str, Any], secret: Collection[str]) -> Iterator[str]:
    for name in secret:
        if name in given:
            yield f"{name} is in setup and in setupFrom: write it once"
    for name in (*given, *(name for name in secret if name not in given)):
        if name not in schema.fields:
            nearest = get_close_matches(name, schema.fields, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"its keys are {', '.join(schema.fields) or 'none'}"
            yield f"{name} is no key of Bundle {schema.bundle}: {hint}"
    for name, field in schema.fields.items():
        value = given.get(name)
        if value is None and name not in secret and field.bs_default is None:
            yield f"{name} is missing, and Bundle {schema.bundle} has no default for it: write a {field.bs_type}"
        elif value is not None:
            try:
                setup.cast(field, value)
            except ValueError as error:
                yield str(error).removeprefix("setup key ")


def setup_problem(schema: Schema | None, persona: Persona) -> Problem | None:
    """Return what keeps a Persona's setup from being used; None: nothing, as far as it can be checked."""
    if schema is None:
        return None
    secret = [item.key for item in persona.spec.setup_from]
    found = problems(schema, persona.spec.setup, secret)
    if not found:
        return None
    more = f"; and {len(found) - MAX_TOLD} more" if len(found) > MAX_TOLD else ""
    return Problem(Reason.SETUP_INVALID, f"spec.setup: {'; '.join(found[:MAX_TOLD])}{more}", stalled=True)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What of a Persona is kept in Secrets.

    Attributes:
        content: `{setup: {key: value}, mongo: address, database: address}` as JSON; empty: nothing.
        version: Changes whenever a value may have; says nothing about it.
        problem: Why a value is not there.
    """

    content: bytes = b""
    version: str = ""
    problem: Problem | None = None


async def secrets_of(persona: Persona, ctx: Context) -> Secrets:
    """Read what a Persona keeps in Secrets."""
    wanted = [
        ("setup", item.key, item.secret_key_ref.name, item.secret_key_ref.key) for item in persona.spec.setup_from
    ]
    if persona.spec.mongo is not None:
        wanted.append(("mongo", "", persona.spec.mongo.secret_ref.name, ADDRESS_ENTRY))
    if persona.spec.erp is not None and (connection := persona.spec.erp.connection_secret_ref) is not None:
        wanted.append(("database", "", connection.name, ADDRESS_ENTRY))
    if not wanted:
        return Secrets()
    namespace = persona.metadata.namespace
    found: dict[str, Any] = {"setup": {}, "mongo": ""}
    versions: list[str] = []
    for kind, key, name, entry in wanted:
        data = await ctx.kube.secret(namespace, name)
        what = f"setup key {key}" if kind == "setup" else _PLACES[kind]
        if data is None:
            message = f"Secret {name} of {what} does not exist in namespace {namespace}: create it"
            return Secrets(problem=Problem(Reason.REFERENCE_NOT_FOUND, message))
        try:
            value = data[entry].decode()
        except KeyError:
            present = ", ".join(sorted(data)) or "no entries"
            message = f"Secret {name} of {what} has no entry {entry} (it has {present}): add the entry"
            return Secrets(problem=Problem(Reason.REFERENCE_INVALID, message))
        except UnicodeDecodeError:
            message = f"entry {entry} of Secret {name} of {what} is no text in UTF-8"
            return Secrets(problem=Problem(Reason.REFERENCE_INVALID, message))
        versions.append(str(ctx.caches.version(Key("Secret", namespace, name))))
        if kind == "database" and not value.startswith(_POSTGRES):
            message = (
                f"entry {entry} of Secret {name} of {what} is no address: write postgresql://role:password@host/db"
            )
            return Secrets(problem=Problem(Reason.REFERENCE_INVALID, message))
        if kind != "setup":
            found[kind] = value.strip()
        else:
            found["setup"][key] = value
    return Secrets(json.dumps(found, sort_keys=True).encode(), ".".join(versions))
