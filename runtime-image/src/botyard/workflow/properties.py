"""Bundle properties: settings that an operator may change while the bundle runs."""

import contextvars
import json
import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger("botyard.workflow")

_host_properties: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar(
    "botyard_workflow_properties", default=None
)


def use_properties(properties: Mapping[str, Any]) -> None:
    """Have workflows of this context use these properties; for hosts of turns."""
    _host_properties.set(properties)


def host_properties() -> dict[str, Any]:
    """Return the properties that the host of this turn gave."""
    return dict(_host_properties.get() or {})


def redis_key(tenant: str, project: str, bundle: str) -> str:
    """Return where a shared Redis holds a bundle's properties, as JSON."""
    return f"kdcube:config:bundles:props:{tenant}:{project}:{bundle}"


async def read_redis(redis: Any, key: str) -> dict[str, Any]:
    """Return properties that are kept in Redis; none where they are missing, broken, or Redis does not answer."""
    try:
        text = await redis.get(key)
        found = json.loads(text) if text else {}
    except Exception as error:
        log.warning("bundle properties in %s cannot be read: %s", key, error)
        return {}
    if not isinstance(found, dict):
        log.warning("bundle properties in %s are no object", key)
        return {}
    return found


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the members of `over` in their place, objects member by member."""
    result = dict(base)
    for name, value in over.items():
        before = result.get(name)
        result[name] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return result
