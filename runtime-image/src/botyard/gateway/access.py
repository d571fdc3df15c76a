"""Who calls, whether they may, and which bot it is about: the first thing that every call asks."""

import re
from dataclasses import dataclass

from starlette.requests import Request

from botyard.contract.routes import Route
from botyard.core.address import BotAddress
from botyard.gateway import routes
from botyard.gateway.authentication import bearer
from botyard.gateway.context import Gateway
from botyard.gateway.identity import Principal, Verb
from botyard.gateway.problems import Problem

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
CONVERSATION = re.compile(r"[A-Za-z0-9_+~@-][A-Za-z0-9_+~@:.=-]{0,127}")


@dataclass(frozen=True, slots=True)
class Admission:
    """A caller who may use a bot."""

    gateway: Gateway
    principal: Principal
    route: Route

    @property
    def bot(self) -> BotAddress:
        """Where the bot lives in Redis."""
        return routes.address(self.route)

    async def may(self, verb: Verb) -> bool:
        """Tell whether the caller has a verb on the bot."""
        return await self.gateway.authorizer.allowed(self.principal, verb, self.route.namespace, self.route.name)

    async def may_act_for_others(self) -> bool:
        """Tell whether the caller has the verb `actas` on the bot."""
        return await self.may("actas")


async def identify(gateway: Gateway, request: Request) -> Principal:
    """Return who calls.

    Raises:
        Problem: `unauthenticated`.
    """
    token = bearer(request.headers.get("authorization"))
    principal = await gateway.authenticator.authenticate(token)
    if principal is not None and principal.subject:
        return principal
    if token is None:
        raise Problem(
            "unauthenticated",
            "Send the header `Authorization: Bearer <token>`.",
            headers={"WWW-Authenticate": 'Bearer realm="botyard"'},
        )
    raise Problem(
        "unauthenticated",
        "The token is not valid here: it is unknown, expired, revoked or meant for another audience.",
        headers={"WWW-Authenticate": 'Bearer realm="botyard", error="invalid_token"'},
    )


async def admit(gateway: Gateway, request: Request, *, verb: Verb = "use") -> Admission:
    """Return the caller and the bot of the path.

    Permission is asked before existence, so that who may not use a bot learns nothing of it.

    Args:
        gateway: The gateway.
        request: A request whose path names a namespace and a bot.
        verb: What the caller must be allowed.

    Raises:
        Problem: `unauthenticated`, `forbidden`, `bad-parameter` or `unknown-bot`.
    """
    principal = await identify(gateway, request)
    namespace, name = _name(request, "namespace"), _name(request, "bot")
    if not await gateway.authorizer.allowed(principal, verb, namespace, name):
        raise Problem(
            "forbidden",
            f"{principal.subject} lacks the verb `{verb}` on bots.botyard.dev {namespace}/{name}.",
        )
    route = gateway.table.find(namespace, name)
    if route is None:
        raise Problem("unknown-bot", f"There is no Bot {namespace}/{name}, or it is not deployed yet.")
    return Admission(gateway, principal, route)


async def admit_default(gateway: Gateway, request: Request) -> Admission:
    """Return the caller and the default bot of the path's namespace.

    Raises:
        Problem: `unauthenticated`, `forbidden`, `bad-parameter` or `unknown-bot`.
    """
    principal = await identify(gateway, request)
    namespace = _name(request, "namespace")
    route = gateway.table.default(namespace)
    # Without a default bot only who may use all bots of the namespace is told so.
    if not await gateway.authorizer.allowed(principal, "use", namespace, route.name if route else ""):
        raise Problem(
            "forbidden", f"{principal.subject} lacks the verb `use` on the default of bots.botyard.dev in {namespace}."
        )
    if route is None:
        raise Problem(
            "unknown-bot",
            f"The namespace {namespace} has no default bot: name one in the path, or give one Bot "
            "`spec.default: true`.",
        )
    return Admission(gateway, principal, route)


async def admit_namespace(gateway: Gateway, request: Request, *, verb: Verb) -> str:
    """Return the namespace of the path, where the caller has a verb on all of its bots.

    Raises:
        Problem: `unauthenticated`, `forbidden` or `bad-parameter`.
    """
    principal = await identify(gateway, request)
    namespace = _name(request, "namespace")
    if not await gateway.authorizer.allowed(principal, verb, namespace, ""):
        raise Problem(
            "forbidden", f"{principal.subject} lacks the verb `{verb}` on all bots.botyard.dev of {namespace}."
        )
    return namespace


def _name(request: Request, what: str) -> str:
    value = str(request.path_params[what])
    if not _NAME.fullmatch(value):
        raise Problem("bad-parameter", f"The {what} in the path is not a Kubernetes name.")
    return value


async def conversation_of(admission: Admission, request: Request, *, or_verb: Verb = "actas") -> str:
    """Return the conversation of the path if it is the caller's own, or the caller has a verb for those of others.

    Raises:
        Problem: `unknown-conversation`, also for those of other users.
    """
    conversation = str(request.path_params["conversation"])
    if CONVERSATION.fullmatch(conversation):
        owner = await admission.gateway.conversations.owner(admission.bot, conversation)
        if owner is not None and (owner == admission.principal.subject or await admission.may(or_verb)):
            return conversation
    raise Problem("unknown-conversation")
