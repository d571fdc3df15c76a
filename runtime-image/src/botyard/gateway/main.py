"""The gateway as a process."""

import argparse
import asyncio
import contextlib
import logging
from collections.abc import Sequence

import uvloop
from kubernetes.aio.client import ApiClient
from redis.asyncio import Redis

from botyard.channels.service import ChannelService
from botyard.channels.settings import load as load_channels
from botyard.core import acknowledgement
from botyard.core.connection import connect
from botyard.gateway import authentication, authorization
from botyard.gateway.access_reviews import SubjectAccessReviews
from botyard.gateway.config_map_routes import ConfigMapRoutes
from botyard.gateway.context import Gateway, StreamLimits
from botyard.gateway.kubernetes_client import open_client
from botyard.gateway.oidc import ClaimNames, OidcTokens
from botyard.gateway.route_sources import FileRoutes, RouteSource
from botyard.gateway.routes import RoutingTable, address
from botyard.gateway.server import GatewayServer, ServerSettings
from botyard.gateway.settings import LOCAL_HOSTS, OidcSettings, Settings, add_arguments, from_arguments
from botyard.gateway.signing_keys import SigningKeys
from botyard.gateway.token_reviews import TokenReviews
from botyard.tracing import tracer
from botyard.usage.writer import UsageWriter
from botyard.workflow.storage import Storage, StorageError, open_storage

log = logging.getLogger(__name__)

REDIS_CONNECTIONS = 1024


def run(argv: Sequence[str] | None = None) -> int:
    """Run `botyard gateway` until it is told to stop.

    Raises:
        ValueError: The options or the environment do not allow it to start; the message says what to do.
    """
    parser = argparse.ArgumentParser(prog="botyard gateway", description="Serve the HTTP API and the console.")
    add_arguments(parser)
    settings = from_arguments(parser.parse_args(argv))
    uvloop.run(serve(settings))
    return 0


async def serve(settings: Settings) -> None:
    """Serve until a signal comes.

    Raises:
        ValueError: Kubernetes is needed and cannot be reached from the settings, or Redis cannot do what its URL asks
            for.
    """
    table = RoutingTable()
    async with contextlib.AsyncExitStack() as stack:
        client = None
        if _needs_kubernetes(settings):
            client = await stack.enter_async_context(open_client(settings.kubeconfig))
        redis = connect(settings.redis_url, max_connections=REDIS_CONNECTIONS)
        stack.push_async_callback(redis.aclose)
        keys = _signing_keys(settings)
        if keys is not None:
            stack.push_async_callback(keys.close)
        gateway = Gateway.on(
            redis,
            table,
            authenticator=_authenticator(settings, client, keys),
            authorizer=_authorizer(settings, client),
            rate=settings.rate,
            burst=settings.burst,
            bot_rate=settings.bot_rate,
            bot_burst=settings.bot_burst,
            max_pending=settings.max_pending,
            file_limits=settings.file_limits,
            stream_limits=StreamLimits(most=settings.max_streams, write_timeout=settings.write_timeout),
            hosts=None if settings.auth else LOCAL_HOSTS,
            origins=settings.cors_origins,
            chat=settings.chat,
        )
        gateway.tracer = tracer("botyard-gateway")
        stack.callback(gateway.tracer.close)
        gateway.channels = _channels(settings, redis, table)
        follow = asyncio.create_task(_source(settings, client).run(table), name="routes")
        follow.add_done_callback(_report)
        tasks = [follow]
        if gateway.channels is not None:
            tasks.append(asyncio.create_task(gateway.channels.run(), name="channels"))
            tasks[-1].add_done_callback(_report)
        if settings.accounting:
            writer = UsageWriter(redis, _storage(settings.accounting), lambda: map(address, table))
            tasks.append(asyncio.create_task(writer.run(), name="usage"))
            tasks[-1].add_done_callback(_report)
        server = GatewayServer(
            gateway,
            ServerSettings(
                host=settings.host,
                port=settings.port,
                drain_delay=settings.drain_delay,
                drain_timeout=settings.drain_timeout,
            ),
        )
        # Beside the serving: Redis may be away now, and says what it can do when it is back.
        tasks.append(acknowledgement.confirming(redis, otherwise=server.stop))
        try:
            await server.serve()
            if problem := acknowledgement.unsuited(tasks[-1]):
                raise problem
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _storage(uri: str) -> Storage:
    try:
        return open_storage(uri)
    except StorageError as error:
        raise ValueError(f"--accounting: {error}") from None


def _channels(settings: Settings, redis: Redis, table: RoutingTable) -> ChannelService | None:
    if settings.channels_file is None:
        return None

    def partitions_of(namespace: str, bot: str) -> int | None:
        route = table.find(namespace, bot)
        return route.partitions if route is not None else None

    return ChannelService(redis, load_channels(settings.channels_file), partitions_of)


def _needs_kubernetes(settings: Settings) -> bool:
    # Whoever OIDC lets in is known to RBAC by name and groups.
    return settings.routes_file is None or bool(settings.auth & {"kubernetes", "oidc"})


def _source(settings: Settings, client: ApiClient | None) -> RouteSource:
    if settings.routes_file is not None:
        return FileRoutes(settings.routes_file)
    assert client is not None
    return ConfigMapRoutes(client, settings.system_namespace)


def _signing_keys(settings: Settings) -> SigningKeys | None:
    return SigningKeys(settings.oidc.issuer, ca_file=settings.oidc.ca_file) if settings.oidc is not None else None


def _authenticator(
    settings: Settings, client: ApiClient | None, keys: SigningKeys | None
) -> authentication.Authenticator:
    if not settings.auth:
        return authentication.Nobody()
    found: list[authentication.Authenticator] = []
    if settings.tokens_file is not None and "tokens" in settings.auth:
        found.append(authentication.StaticTokens(settings.tokens_file))
    # Before Kubernetes: to tell by its issuer that a token is somebody else's costs nothing.
    if settings.oidc is not None and keys is not None:
        found.append(_oidc(settings.oidc, keys))
    if client is not None and "kubernetes" in settings.auth:
        found.append(TokenReviews(client, audiences=settings.audiences))
    return authentication.Either(found)


def _oidc(settings: OidcSettings, keys: SigningKeys) -> OidcTokens:
    return OidcTokens(
        keys,
        issuer=settings.issuer,
        audiences=settings.audiences,
        algorithms=settings.algorithms,
        claims=ClaimNames(
            user=settings.user_claim,
            user_prefix=settings.user_prefix,
            groups=settings.groups_claim,
            groups_prefix=settings.groups_prefix,
        ),
    )


def _authorizer(settings: Settings, client: ApiClient | None) -> authorization.Authorizer:
    if not settings.auth:
        return authorization.Everything()
    if client is not None and settings.auth & {"kubernetes", "oidc"}:
        return authorization.ByPrincipal(SubjectAccessReviews(client))
    return authorization.Grants()


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("%s: not followed any more", task.get_name(), exc_info=task.exception())
