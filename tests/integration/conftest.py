"""Servers that integration tests share."""

from tests.integration.apiserver.fixture import apiserver, namespace
from tests.integration.redis.server import redis_client, redis_server

__all__ = ["apiserver", "namespace", "redis_client", "redis_server"]
