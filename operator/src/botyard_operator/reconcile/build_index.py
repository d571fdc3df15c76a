"""The package index that a Bundle installs from, and the Secret that names it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from botyard_operator.api.bundle import Bundle
from botyard_operator.api.reasons import Reason
from botyard_operator.artifacts.builds import IndexAccess
from botyard_operator.reconcile.base import Context, Key
from botyard_operator.reconcile.problems import Blocked, Problem


async def index_of(key: Key, ctx: Context, bundle: Bundle) -> IndexAccess:
    """Return the package index of a Bundle; raises Blocked where its Secret cannot be used."""
    dependencies = bundle.spec.dependencies
    if dependencies is None or dependencies.index_secret_ref is None:
        return IndexAccess(ctx.settings.package_index)
    name = dependencies.index_secret_ref.name
    where = f"Secret {key.namespace}/{name} of spec.dependencies.indexSecretRef"
    data = await ctx.kube.secret(key.namespace, name)
    if data is None:
        raise Blocked(_problem(f"{where} does not exist; create it."))
    text = {entry: value.decode(errors="replace").strip() for entry, value in data.items()}
    return index_of_secret(text, where)


def index_of_secret(entries: Mapping[str, str], where: str) -> IndexAccess:
    """Return the package index that a Secret names.

    Args:
        entries: The Secret's entries.
        where: What the Secret is called in messages.

    Raises:
        Blocked: It lacks an entry, or one cannot be used.
    """
    url = entries.get("url", "")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise Blocked(
            _problem(f"{where} needs the entry url: the http or https address of a simple index, without user.")
        )
    if bool(entries.get("username")) != bool(entries.get("password")):
        raise Blocked(_problem(f"{where} has only one of username and password; add the other."))
    return IndexAccess(url.rstrip("/"), entries.get("username", ""), entries.get("password", ""))


def _problem(message: str) -> Problem:
    return Problem(Reason.INDEX_SECRET_INVALID, message, stalled=True)
