"""Who speaks over a chat channel, in which session, and with which bot."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botyard.contract.names import bot_name_of
from botyard.contract.routes import Route
from botyard.core.address import BotAddress
from botyard.gateway import routes
from botyard.gateway.authentication import bearer
from botyard.gateway.chat.registry import SessionKey
from botyard.gateway.chat.users import Allowance, UserType
from botyard.gateway.context import Gateway
from botyard.gateway.identity import Principal
from botyard.gateway.problems import Problem

_NAME = re.compile(r"[A-Za-z0-9_.:@~=+-]{1,128}")
ANONYMOUS = Principal(subject="system:anonymous", groups=("system:unauthenticated",), anonymous=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """A user of a chat channel, in one session."""

    principal: Principal
    user: str
    """The name under which conversations are kept."""
    known: bool
    namespace: str
    session: str
    tenant: str
    project: str
    connection: str = ""
    """Stream or socket that the caller named."""

    @property
    def key(self) -> SessionKey:
        """The session as gateways know it."""
        return SessionKey(self.namespace, self.user, self.session)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A bot that the caller may use."""

    route: Route
    user_type: UserType
    allowance: Allowance

    @property
    def bot(self) -> BotAddress:
        """Where it lives in Redis."""
        return routes.address(self.route)


async def identify(
    gateway: Gateway, *, authorization: str | None, given: Mapping[str, Any], connection: str = ""
) -> Caller:
    """Return who speaks.

    Args:
        gateway: The gateway.
        authorization: The header of this name.
        given: `user_session_id`, `bearer_token`, `id_token`, `tenant`, `project`, as the channel got them. Browsers'
            event sources cannot send headers, so a token may be among them.
        connection: The stream or socket that answers are for.

    Raises:
        Problem: `unauthenticated` or `bad-parameter`.
    """
    token = bearer(authorization) if authorization else _text(given, "bearer_token", 16_384) or None
    principal = await gateway.authenticator.authenticate(token)
    known = principal is not None and bool(principal.subject)
    if principal is None or not known:
        if token is not None or not gateway.chat.settings.rules.anonymous:
            raise Problem(
                "unauthenticated",
                "Send the header `Authorization: Bearer <token>`, or the token as `bearer_token`.",
                headers={"WWW-Authenticate": 'Bearer realm="botyard"'},
            )
        principal = ANONYMOUS
    named = _text(given, "user_session_id", 128)
    tenant, project = _text(given, "tenant", 128), _text(given, "project", 128)
    for what, value in (("user_session_id", named), ("tenant", tenant), ("project", project), ("id", connection)):
        if value and not _NAME.fullmatch(value):
            raise Problem("bad-parameter", f"`{what}` has 1 to 128 letters, digits or characters of `_.:@~=+-`.")
    user = principal.subject
    if not known:
        if not named:
            raise Problem("bad-parameter", "Without a token `user_session_id` says whose session it is.")
        user = f"anonymous:{_digest(named)}"
    return Caller(
        principal=principal,
        user=user,
        known=known,
        namespace=_namespace(gateway, tenant),
        session=named or f"session-{_digest(user)}",
        tenant=tenant,
        project=project,
        connection=connection,
    )


async def choose(gateway: Gateway, caller: Caller, bundle_id: str) -> Chosen:
    """Return the bot that a bundle's id names; the default one for none.

    Permission is asked before existence, so that who may not use a bot learns nothing of it.

    Raises:
        Problem: `forbidden` or `unknown-bundle`.
    """
    namespace = caller.namespace
    route = _route(gateway, namespace, bundle_id)
    name = route.name if route is not None else bot_name_of(bundle_id)
    if not await gateway.authorizer.allowed(caller.principal, "use", namespace, name):
        raise Problem("forbidden", f"{caller.principal.subject} lacks the verb `use` on the bot of {namespace}.")
    if route is None:
        what = f"`{bundle_id[:200]}`" if bundle_id else "a default bot"
        raise Problem("unknown-bundle", f"The namespace {namespace} has no {what}.", code="unknown_bundle")
    rules = gateway.chat.settings.rules
    privileged = await gateway.authorizer.allowed(caller.principal, "actas", namespace, name)
    kind = rules.type_of(caller.principal.groups, acts_for_others=privileged, known=caller.known)
    return Chosen(route, kind, rules.allowances[kind])


def _route(gateway: Gateway, namespace: str, bundle_id: str) -> Route | None:
    if not bundle_id:
        return gateway.table.default(namespace)
    return gateway.table.find(namespace, bundle_id) or gateway.table.find(namespace, bot_name_of(bundle_id))


def _namespace(gateway: Gateway, tenant: str) -> str:
    if named := gateway.chat.settings.namespace:
        return named
    here = {route.namespace for route in gateway.table}
    if tenant in here or len(here) != 1:
        # An unknown one is refused where its bots are asked for.
        return tenant or "default"
    return next(iter(here))


def _text(given: Mapping[str, Any], name: str, most: int) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise Problem("bad-parameter", f"`{name}` must be a text of at most {most} characters.")
    return value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
