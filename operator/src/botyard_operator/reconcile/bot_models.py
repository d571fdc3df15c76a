"""What `spec.model` of a Bot refers to: keys of providers and scripts, and the configuration that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from botyard.contract.model import SCRIPT_SUFFIX, ModelConfig, ModelTarget
from botyard_operator.api.bot import Bot, ModelSpec, RoleModel
from botyard_operator.api.reasons import Reason
from botyard_operator.api.refs import SecretKeyRef
from botyard_operator.reconcile.base import Context
from botyard_operator.reconcile.problems import Blocked, Problem

SCRIPT_ENTRY = "script.yaml"
"""Entry of a ConfigMap that holds a model script."""
MAX_SCRIPTS = 512 * 1024
"""Bytes of all scripts of a Bot together: they share its ConfigMap, which holds 1 MiB, with its configuration."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a Bot, resolved."""

    config: ModelConfig | None = None
    """None: the Bot has no model."""
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """API keys by the file that the configuration names."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """Model scripts by the file that the configuration names."""


async def models_of(bot: Bot, ctx: Context) -> Models:
    """Return the models of a Bot.

    Args:
        bot: The Bot.
        ctx: Where Secrets and ConfigMaps are read.

    Raises:
        Blocked: Something that `spec.model` refers to is missing, or a role is not complete.
    """
    spec = bot.spec.model
    if spec is None:
        return Models()
    reader = _Reader(bot.metadata.namespace, ctx)
    own = await reader.target(spec, "spec.model")
    roles = {
        name: await reader.target(_complete(spec, role, f"spec.model.roles.{name}"), f"spec.model.roles.{name}")
        for name, role in spec.roles.items()
    }
    size = sum(len(text.encode()) for text in reader.scripts.values())
    if size > MAX_SCRIPTS:
        message = f"the scripts of spec.model have {size} bytes: shorten them to {MAX_SCRIPTS} together"
        raise Blocked(Problem(Reason.REFERENCE_INVALID, message))
    return Models(
        ModelConfig(**own.model_dump(), roles=roles, concurrency=spec.concurrency), reader.keys, reader.scripts
    )


def _complete(spec: ModelSpec, role: RoleModel, place: str) -> ModelSpec:
    """Return a role with what it leaves out.

    The Bot's key is taken over only together with its endpoint: no key goes to a provider that it is not for. A name
    is taken over from the same kind of provider: a script must not be charged as the model that it stands in for.

    Raises:
        Blocked: Something is still missing.
    """
    provider = role.provider or spec.provider
    name = role.name or (spec.name if provider == spec.provider else None)
    if provider == "scripted":
        return ModelSpec.model_construct(provider=provider, name=name, script=role.script or spec.script)
    endpoint = role.endpoint or spec.endpoint
    secret = role.secret_ref or (spec.secret_ref if endpoint == spec.endpoint else None)
    if role.script is not None:
        raise _incomplete(f"{place}.script is read by provider scripted only: write provider: scripted or leave it out")
    if name is None:
        raise _incomplete(f"{place} needs name: write the model's name, such as gpt-4o-mini")
    if endpoint is None and secret is None:
        raise _incomplete(f"{place} without endpoint needs secretRef: {{name: …, key: …}} with the API key")
    return ModelSpec.model_construct(provider=provider, name=name, endpoint=endpoint, secret_ref=secret)


def _incomplete(message: str) -> Blocked:
    return Blocked(Problem(Reason.INVALID_SPEC, message, stalled=True))


class _Reader:
    """Reads what targets refer to, each thing once."""

    def __init__(self, namespace: str, ctx: Context) -> None:
        self._namespace = namespace
        self._ctx = ctx
        self.keys: dict[str, bytes] = {}
        self.scripts: dict[str, str] = {}

    async def target(self, spec: ModelSpec, place: str) -> ModelTarget:
        """Return a target whose key and script are read.

        Raises:
            Blocked: One of them is missing.
        """
        if spec.provider == "scripted":
            assert spec.script is not None  # a rule of the kind
            script = await self._script(spec.script.config_map_ref.name, place)
            return ModelTarget(provider="scripted", name=spec.name or "", script=script)
        key = await self._key(spec.secret_ref, place) if spec.secret_ref is not None else ""
        return ModelTarget(name=spec.name or "", endpoint=spec.endpoint or "", key=key)

    async def _key(self, reference: SecretKeyRef, place: str) -> str:
        entry = f"key-{_digest(reference.name, reference.key)}"
        if entry in self.keys:
            return entry
        data = await self._ctx.kube.secret(self._namespace, reference.name)
        if data is None:
            raise self._absent("Secret", reference.name, place)
        if reference.key not in data:
            raise self._lacking("Secret", reference.name, reference.key, data, f"{place}.secretRef")
        value = data[reference.key].strip()
        if not value or any(not 0x21 <= byte <= 0x7E for byte in value):
            message = (
                f"entry {reference.key} of Secret {reference.name} of {place} is no API key: it is empty or has "
                "characters that a key cannot have; write the key alone into it"
            )
            raise Blocked(Problem(Reason.REFERENCE_INVALID, message))
        self.keys[entry] = value
        return entry

    async def _script(self, name: str, place: str) -> str:
        entry = f"{_digest(name)}{SCRIPT_SUFFIX}"
        if entry in self.scripts:
            return entry
        data = await self._ctx.kube.config_map(self._namespace, name)
        if data is None:
            raise self._absent("ConfigMap", name, place)
        if SCRIPT_ENTRY not in data:
            raise self._lacking("ConfigMap", name, SCRIPT_ENTRY, data, f"{place}.script.configMapRef")
        self.scripts[entry] = data[SCRIPT_ENTRY]
        return entry

    def _absent(self, kind: str, name: str, place: str) -> Blocked:
        message = f"{kind} {name} of {place} does not exist in namespace {self._namespace}: create it"
        return Blocked(Problem(Reason.REFERENCE_NOT_FOUND, message))

    def _lacking(self, kind: str, name: str, key: str, data: Mapping[str, object], field: str) -> Blocked:
        present = ", ".join(sorted(data)) or "no entries"
        place = field.rpartition(".secretRef")[0] or field.rpartition(".script.configMapRef")[0]
        message = f"{kind} {name} of {place} has no entry {key} (it has {present}): add the entry or correct {field}"
        return Blocked(Problem(Reason.REFERENCE_INVALID, message))


def _digest(*parts: str) -> str:
    """Return what an entry is named after: names of objects and of their entries together may be too long for one."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]
