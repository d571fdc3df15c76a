"""Tells the metered endpoint for which turn a bundle's own client asks.

The endpoint knows a worker by its token. Which of the worker's turns asks, only the code's context knows: every request
that goes to the endpoint names the run of the turn in a header, by the HTTP libraries that clients of models build on.
They are changed when the bundle imports them, so that a bundle without them pays nothing.
"""

import contextvars
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

HEADER = "x-botyard-turn"
run: contextvars.ContextVar[str] = contextvars.ContextVar("botyard_run", default="")
"""The run of a turn whose code runs in this context."""


def install(base_url: str) -> None:
    """Have requests that begin with `base_url` say for which turn they are."""
    patches: dict[str, Callable[[ModuleType], None]] = {
        "httpx": lambda module: _patch_httpx(module, base_url),
        "httpx2": lambda module: _patch_httpx(module, base_url),
        "aiohttp": lambda module: _patch_aiohttp(module, base_url),
        "requests": lambda module: _patch_requests(module, base_url),
    }
    for name in list(patches):
        if (module := sys.modules.get(name)) is not None:
            patches.pop(name)(module)
    sys.meta_path.insert(0, _AfterImport(patches))


class _AfterImport(importlib.abc.MetaPathFinder):
    def __init__(self, patches: dict[str, Callable[[ModuleType], None]]) -> None:
        self._patches = patches

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        patch = self._patches.pop(fullname, None)
        if patch is None:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, patch)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, inner: Any, patch: Callable[[ModuleType], None]) -> None:
        self._inner = inner
        self._patch = patch

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._inner.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        self._patch(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _patch_httpx(module: ModuleType, base_url: str) -> None:
    def mark(request: Any) -> None:
        if (asking := run.get()) and str(request.url).startswith(base_url):
            request.headers[HEADER] = asking

    sync_send, async_send = module.Client.send, module.AsyncClient.send

    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        mark(request)
        return sync_send(self, request, *args, **kwargs)

    async def asend(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        mark(request)
        return await async_send(self, request, *args, **kwargs)

    module.Client.send, module.AsyncClient.send = send, asend


def _patch_aiohttp(module: ModuleType, base_url: str) -> None:
    inner = module.ClientSession._request

    async def request(self: Any, method: str, url: Any, **kwargs: Any) -> Any:
        if (asking := run.get()) and str(url).startswith(base_url):
            kwargs["headers"] = {**(kwargs.get("headers") or {}), HEADER: asking}
        return await inner(self, method, url, **kwargs)

    module.ClientSession._request = request


def _patch_requests(module: ModuleType, base_url: str) -> None:
    inner = module.Session.send

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        if (asking := run.get()) and str(request.url).startswith(base_url):
            request.headers[HEADER] = asking
        return inner(self, request, **kwargs)

    module.Session.send = send
