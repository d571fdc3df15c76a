"""The operator's one client of the API server: server-side apply, status, deletion, and the few direct reads.

Built on the official client's configuration and REST layer; objects are plain dictionaries, because the generated
models would cost memory for every kind and drop fields that they do not know.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from botyard.contract import names
from botyard_operator import resources
from botyard_operator.caches import Caches
from botyard_operator.metrics import Metrics
from botyard_operator.reconcile.base import ApiError, JsonObject, Key, RetryLater

REQUEST_TIMEOUT = 30.0
"""Seconds for one request, connection included."""
_ATTEMPTS = 4
"""Tries of a request that the server asks to send again (429, 503 with Retry-After)."""
_LONGEST_RETRY_AFTER = 5.0
_SELECTED = "100"
"""Objects in one page of those that are selected by labels."""

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiUnavailable(RetryLater):
    """The API server did not answer, or said that it cannot right now."""


async def load_configuration(kubeconfig: str | None = None) -> Configuration:
    """Return how to reach the API server: the pod's service account, or else a kubeconfig.

    Args:
        kubeconfig: Path of the kubeconfig to use; None: in-cluster first, then the default location.

    Raises:
        ConfigException: Neither is there.
    """
    configuration = Configuration()
    if kubeconfig is None:
        try:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException:
            await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig, client_configuration=configuration
        )
    return configuration


class KubeClient:
    """Requests to the API server; what it answers goes into the caches at once."""

    def __init__(self, configuration: Configuration, caches: Caches, metrics: Metrics) -> None:
        self._configuration = configuration
        self._api = ApiClient(configuration)
        self._caches = caches
        self._metrics = metrics

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    @property
    def host(self) -> str:
        """URL of the API server."""
        return str(self._configuration.host)

    async def headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request now (service account tokens rotate)."""
        headers: dict[str, str] = {}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], "", "", None)
        return headers

    def session(self, trace: aiohttp.TraceConfig) -> aiohttp.ClientSession:
        """Return a session with the same identity, for long watches; every request is authenticated anew."""

        async def authenticate(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            request.headers.update(await self.headers())
            return await handler(request)

        rest = self._api.rest_client
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=rest.ssl_context),
            middlewares=(authenticate,),
            trace_configs=[trace],
            proxy=rest.proxy,
        )

    async def apply(self, obj: JsonObject, *, force: bool = True) -> JsonObject:
        """Server-side apply `obj` with the field manager `botyard`.

        Args:
            obj: The whole of what the operator wants; fields that it applied earlier and left out now are removed.
            force: Whether fields that others have set are taken over; without, they are an `ApiError` (409).

        Returns:
            The object as it is now.

        Raises:
            ApiError: The server refuses the object.
            ApiUnavailable: Try again later.
        """
        resource = resources.of(obj["kind"])
        metadata = obj["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        query = {"fieldManager": names.FIELD_MANAGER, "force": "true" if force else "false"}
        answer = await self._write("PATCH", "apply", resource, path, query, obj, APPLY)
        return self._remember(resource.kind, answer)

    async def create(self, obj: JsonObject) -> JsonObject:
        """Create an object; `ApiError` with status 409 when it exists."""
        resource = resources.of(obj["kind"])
        path = resource.path(obj["metadata"]["namespace"])
        query = {"fieldManager": names.FIELD_MANAGER}
        return self._remember(resource.kind, await self._write("POST", "create", resource, path, query, obj, JSON))

    async def replace(self, obj: JsonObject) -> JsonObject:
        """Replace an object, checking its resource version; `ApiError` with status 409 when it changed."""
        resource = resources.of(obj["kind"])
        path = resource.path(obj["metadata"]["namespace"], obj["metadata"]["name"])
        query = {"fieldManager": names.FIELD_MANAGER}
        return self._remember(resource.kind, await self._write("PUT", "update", resource, path, query, obj, JSON))

    async def patch_status(self, current: JsonObject, status: JsonObject) -> bool:
        """Bring the status of `current` to `status`; fields left out are removed.

        Returns:
            Whether anything differed and was written.
        """
        patch = merge_patch(current.get("status") or {}, status)
        if not patch:
            return False
        resource = resources.of(current["kind"])
        metadata = current["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], "status")
        query = {"fieldManager": f"{names.FIELD_MANAGER}-status"}
        try:
            answer = await self._write("PATCH", "status", resource, path, query, {"status": patch}, MERGE)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        self._remember_change(resource.kind, answer)
        return True

    async def patch_metadata(self, key: Key, metadata: JsonObject) -> None:
        """Merge `metadata` (for instance annotations) into an object; one that is gone is no error."""
        resource = resources.of(key.kind)
        path = resource.path(key.namespace, key.name)
        query = {"fieldManager": names.FIELD_MANAGER}
        try:
            answer = await self._write("PATCH", "patch", resource, path, query, {"metadata": metadata}, MERGE)
        except ApiError as error:
            if error.status != 404:
                raise
        else:
            self._remember_change(resource.kind, answer)

    async def scale(self, key: Key, replicas: int) -> None:
        """Set the replicas of an object through its scale subresource; one that is gone is no error."""
        resource = resources.of(key.kind)
        path = resource.path(key.namespace, key.name, "scale")
        query = {"fieldManager": f"{names.FIELD_MANAGER}-autoscaler"}
        body = {"spec": {"replicas": replicas}}
        try:
            # The answer is a Scale; the object itself comes by its watch.
            await self._write("PATCH", "scale", resource, path, query, body, MERGE)
        except ApiError as error:
            if error.status != 404:
                raise

    async def delete(self, key: Key, *, uid: str | None = None) -> None:
        """Delete an object in the background; one that is gone already (or is another by now) is no error."""
        resource = resources.of(key.kind)
        options: JsonObject = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._write("DELETE", "delete", resource, resource.path(key.namespace, key.name), {}, options, JSON)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise

    async def get(self, key: Key) -> JsonObject | None:
        """Read one object from the API server, past the caches."""
        resource = resources.of(key.kind)
        url = f"{self.host}{resource.path(key.namespace, key.name)}"
        try:
            answer = await self._request("GET", url, None, JSON)
        except ApiError as error:
            self._metrics.api_reads.labels(resource.kind, str(error.status)).inc()
            if error.status == 404:
                return None
            raise
        self._metrics.api_reads.labels(resource.kind, "200").inc()
        return answer

    async def list(
        self,
        resource: resources.Resource,
        namespace: str | None,
        *,
        metadata_only: bool = False,
        **parameters: str,
    ) -> JsonObject:
        """Read a collection, or a page of it, whole or without spec and status."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        accept = METADATA_LIST if metadata_only else JSON
        return await self._request("GET", f"{self.host}{resource.path(namespace)}{query}", None, JSON, accept)

    async def select(self, kind: str, namespace: str, labels: Mapping[str, str]) -> Sequence[JsonObject]:
        """Read the objects of a namespace that have these labels, past the caches, page by page."""
        selector = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
        resource = resources.of(kind)
        found: list[JsonObject] = []
        page = {"labelSelector": selector, "limit": _SELECTED}
        while True:
            answer = await self.list(resource, namespace, metadata_only=False, **page)
            self._metrics.api_reads.labels(resource.kind, "200").inc()
            # Entries of a list carry no kind of their own.
            found += [{"apiVersion": resource.api_version, "kind": kind, **item} for item in answer.get("items") or ()]
            following = (answer.get("metadata") or {}).get("continue")
            if not following:
                return found
            page["continue"] = following

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Return the decoded data of a Secret; None when it does not exist.

        The first reader of a Secret whose data was not kept (nothing referred to it) fetches it.
        """
        held = await self._with_data("Secret", namespace, name)
        if held is None:
            return None
        return {field: _decode_base64(value) for field, value in (held.get("data") or {}).items()}

    async def config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return the data of a ConfigMap; None when it does not exist."""
        held = await self._with_data("ConfigMap", namespace, name)
        return None if held is None else held.get("data") or {}

    async def _with_data(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        key = Key(kind, namespace, name)
        if not self._caches.is_stub(key):
            return self._caches.get(kind, namespace, name)
        fresh = await self.get(key)
        if fresh is not None:
            self._caches.put(kind, fresh)
        return fresh

    def _remember_change(self, kind: str, answer: JsonObject) -> None:
        """Take over a changed object, unless its deletion was heard of while the change was under way."""
        metadata = answer.get("metadata", {})
        key = Key(kind, metadata.get("namespace", ""), metadata.get("name", ""))
        if kind in _WATCHED and self._caches.version(key) is not None:
            self._remember(kind, answer)

    def _remember(self, kind: str, answer: JsonObject) -> JsonObject:
        if kind in _WATCHED and "resourceVersion" in answer.get("metadata", {}):
            self._caches.put(kind, answer, own=True)
        return answer

    async def _write(
        self,
        method: str,
        verb: str,
        resource: resources.Resource,
        path: str,
        query: Mapping[str, str],
        body: JsonObject,
        content_type: str,
    ) -> JsonObject:
        url = f"{self.host}{path}"
        if query:
            url = f"{url}?{urlencode(query)}"
        try:
            answer = await self._request(method, url, body, content_type)
        except ApiError as error:
            self._metrics.api_writes.labels(verb, resource.kind, str(error.status)).inc()
            raise
        except ApiUnavailable:
            self._metrics.api_writes.labels(verb, resource.kind, "unavailable").inc()
            raise
        self._metrics.api_writes.labels(verb, resource.kind, "ok").inc()
        return answer

    async def _request(
        self, method: str, url: str, body: JsonObject | None, content_type: str, accept: str = JSON
    ) -> JsonObject:
        for attempt in range(1, _ATTEMPTS + 1):
            headers = {**await self.headers(), "Accept": accept, "Content-Type": content_type}
            try:
                response = await self._api.call_api(
                    method, url, headers, body, _request_timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)
                )
                text: bytes = await response.read()  # type: ignore[no-untyped-call]
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise ApiUnavailable(f"{method} {url}: {error or type(error).__name__}") from error
            if response.status < 400:
                answer: JsonObject = json.loads(text)
                return answer
            pause = _retry_after(response.headers)
            if response.status in {429, 503} and pause is not None and attempt < _ATTEMPTS:
                await asyncio.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311 - jitter
                continue
            raise _error(response.status, text, f"{method} {url}")
        raise AssertionError("unreachable: the last attempt returns or raises")


_WATCHED = frozenset(resource.kind for resource in resources.WATCHED_KINDS)


def merge_patch(current: JsonObject, wanted: JsonObject) -> JsonObject:
    """Return the JSON merge patch (RFC 7386) that turns `current` into `wanted`; empty when they are equal."""
    patch: JsonObject = {field: None for field in current if field not in wanted}
    for field, value in wanted.items():
        before = current.get(field)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = merge_patch(before, value)
            if inner:
                patch[field] = inner
        elif field not in current or before != value:
            if value is not None:
                patch[field] = value
            elif before is not None:
                patch[field] = None
    return patch


def _error(status: int, text: bytes, what: str) -> Exception:
    try:
        answer: Any = json.loads(text)
        reason = str(answer.get("reason") or "")
        message = str(answer.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = "", text[:500].decode(errors="replace")
    if status == 500 and "failed to create typed patch object" in message:
        # Server-side apply answers so to fields that do not exist: sending them again does not help.
        return ApiError(422, "Invalid", message)
    if status in {401, 408, 409, 429} or status >= 500:
        if status == 409:
            return ApiError(status, reason, message or what)
        return ApiUnavailable(f"{what}: {status} {reason} {message}".rstrip())
    return ApiError(status, reason, message or f"{what}: {status}")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return min(_LONGEST_RETRY_AFTER, max(0.1, float(headers.get("Retry-After", ""))))
    except ValueError:
        return None


def _decode_base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return b""
