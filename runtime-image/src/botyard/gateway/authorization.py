"""What callers may do with bots: what Kubernetes says (`access_reviews`), a static token's grants, or everything."""

from typing import Protocol

from botyard.gateway.identity import Principal, Verb


class Authorizer(Protocol):
    """Decides whether a principal may do something with a bot."""

    async def allowed(self, principal: Principal, verb: Verb, namespace: str, bot: str) -> bool:
        """Tell whether it is allowed; an empty `bot` asks for all bots of the namespace.

        Raises:
            Problem: `authentication-unavailable` when it could not be found out.
        """


class Everything:
    """Allows everything. For loopback only."""

    async def allowed(self, principal: Principal, verb: Verb, namespace: str, bot: str) -> bool:
        """Allow."""
        return True


class Grants:
    """Decides by the permissions that the principal carries, and refuses principals that carry none."""

    async def allowed(self, principal: Principal, verb: Verb, namespace: str, bot: str) -> bool:
        """Look through the permissions."""
        return any(permission.covers(namespace, bot, verb) for permission in principal.permissions or ())


class ByPrincipal:
    """Static tokens by their own grants, everybody else by RBAC."""

    def __init__(self, reviews: Authorizer) -> None:
        self._grants = Grants()
        self._reviews = reviews

    async def allowed(self, principal: Principal, verb: Verb, namespace: str, bot: str) -> bool:
        """Ask whoever is in charge of this principal."""
        authorizer: Authorizer = self._grants if principal.permissions is not None else self._reviews
        return await authorizer.allowed(principal, verb, namespace, bot)
