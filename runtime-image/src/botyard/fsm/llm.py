"""LLMManager: calls to a chat model with the bot's own credentials.

Bots name their credentials in two ways: per vendor (`azure_endpoint`, `azure_openai_api_key`,
`azure_openai_api_version`, `openai_api_key`), or by deployment (`openai_deployment_type`, `openai_api_endpoint`,
`openai_api_key`, `openai_api_version`, `azure_credential_scope`). Every call takes both. The `openai` package is
imported on the first call, so that a bot without a model needs none of it.
"""

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from botyard.fsm.errors import FsmError

DEFAULT_MODEL = "gpt-4o-mini"
"""Used where neither the call nor the credential FAST_MODEL names a model."""
DEFAULT_EMBEDDING_MODEL = "text-embedding-3-small"
TIMEOUT_SECONDS = 60.0
METERED_TIMEOUT_SECONDS = 960.0
"""Longer than the supervisor tries, so that it is the one who says what went wrong."""
MAX_RETRIES = 2
_MAX_CLIENTS = 64
_TEMPERATURE = 1e-6

CREDENTIAL_ARGUMENTS = (
    "openai_deployment_type",
    "openai_api_endpoint",
    "openai_api_key",
    "openai_api_version",
    "azure_credential_scope",
    "azure_endpoint",
    "azure_openai_api_key",
    "azure_openai_api_version",
)
"""Keywords that say where and as whom to call."""


class LLMError(FsmError):
    """The model cannot be called as asked, or answered with something that cannot be used."""


def llm_arguments(credentials: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords for `LLMManager.llm` that a bot's credentials give, with their model.

    Args:
        credentials: `AZURE_OPENAI_API_ENDPOINT|_KEY|_VERSION`, or `OPENAI_API_TYPE|_ENDPOINT|_KEY|_VERSION` and
            `AZURE_CREDENTIAL_SCOPE`; and `FAST_MODEL`, `SLOW_MODEL`. All may be missing.
    """
    found = {
        "openai_deployment_type": credentials.get("OPENAI_API_TYPE"),
        "openai_api_endpoint": credentials.get("OPENAI_API_ENDPOINT"),
        "openai_api_key": credentials.get("OPENAI_API_KEY"),
        "openai_api_version": credentials.get("OPENAI_API_VERSION"),
        "azure_credential_scope": credentials.get("AZURE_CREDENTIAL_SCOPE"),
        "azure_endpoint": credentials.get("AZURE_OPENAI_API_ENDPOINT"),
        "azure_openai_api_key": credentials.get("AZURE_OPENAI_API_KEY"),
        "azure_openai_api_version": credentials.get("AZURE_OPENAI_API_VERSION"),
    }
    arguments = {name: value for name, value in found.items() if value}
    arguments["model"] = credentials.get("FAST_MODEL") or credentials.get("SLOW_MODEL") or DEFAULT_MODEL
    return arguments


class LLMManager:
    """Chat completions and embeddings, and short names for the parts of a request."""

    client: ClassVar[Any] = None
    """A client to use for every call; None: one is made, and kept, for each set of credentials."""

    _clients: ClassVar[dict[tuple[Any, ...], Any]] = {}
    _lock: ClassVar[Any] = threading.Lock()

    @classmethod
    def get_client(
        cls,
        openai_deployment_type: str | None = None,
        openai_api_endpoint: str | None = None,
        openai_api_key: str | None = None,
        openai_api_version: str | None = None,
        azure_credential_scope: str | None = None,
        *,
        azure_endpoint: str | None = None,
        azure_openai_api_key: str | None = None,
        azure_openai_api_version: str | None = None,
    ) -> Any:
        """Return the client for these credentials.

        Args:
            openai_deployment_type: "azure…" for Azure, anything else for OpenAI and compatible endpoints.
            openai_api_endpoint: Base address; empty for OpenAI's own.
            openai_api_key: Key.
            openai_api_version: Version of Azure's API.
            azure_credential_scope: Scope of a token from the environment's Azure identity, instead of a key.
            azure_endpoint: Azure, named by vendor.
            azure_openai_api_key: Azure, named by vendor.
            azure_openai_api_version: Azure, named by vendor.

        Raises:
            LLMError: The `openai` package is missing, or no key is given.
        """
        if cls.client is not None:
            return cls.client
        azure = bool(azure_openai_api_key or azure_endpoint) or "azure" in (openai_deployment_type or "").lower()
        key = azure_openai_api_key or openai_api_key
        endpoint = azure_endpoint or openai_api_endpoint
        version = azure_openai_api_version or openai_api_version
        made_by = _client_class("AzureOpenAI" if azure else "OpenAI")
        identity = (azure, endpoint, key, version, azure_credential_scope)
        with cls._lock:
            client = cls._clients.get((made_by, *identity))
            if client is None:
                if len(cls._clients) >= _MAX_CLIENTS:
                    cls._clients.pop(next(iter(cls._clients)))
                client = cls._clients[(made_by, *identity)] = _new_client(made_by, *identity)
        return client

    @classmethod
    def llm(
        cls,
        messages: list[dict[str, Any]],
        openai_deployment_type: str | None = None,
        openai_api_endpoint: str | None = None,
        openai_api_key: str | None = None,
        openai_api_version: str | None = None,
        azure_credential_scope: str | None = None,
        *,
        azure_endpoint: str | None = None,
        azure_openai_api_key: str | None = None,
        azure_openai_api_version: str | None = None,
        callback: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Ask the model.

        Args:
            messages: The conversation; see `sm`, `um`, `am`.
            openai_deployment_type: See `get_client`, as for the other credentials.
            openai_api_endpoint: See there.
            openai_api_key: See there.
            openai_api_version: See there.
            azure_credential_scope: See there.
            azure_endpoint: See there.
            azure_openai_api_key: See there.
            azure_openai_api_version: See there.
            callback: Receives the pieces of a streamed answer (`stream=True`).
            **kwargs: Further members of the request, such as model, temperature (1e-6 if not given), tools.

        Returns:
            The text; with `tools`, `{"function", "arguments"}` of the call that the model made, or
            `{"function": None, "message"}`.

        Raises:
            LLMError: As `get_client`, or arguments of a tool call that are no JSON.
        """
        client = cls.get_client(
            openai_deployment_type,
            openai_api_endpoint,
            openai_api_key,
            openai_api_version,
            azure_credential_scope,
            azure_endpoint=azure_endpoint,
            azure_openai_api_key=azure_openai_api_key,
            azure_openai_api_version=azure_openai_api_version,
        )
        kwargs.setdefault("temperature", _TEMPERATURE)
        kwargs["model"] = kwargs.get("model") or DEFAULT_MODEL
        answer = client.chat.completions.create(messages=messages, **kwargs)
        if kwargs.get("stream"):
            return _streamed(answer, callback)
        message = answer.choices[0].message
        if not kwargs.get("tools"):
            return message.content
        calls = message.tool_calls
        if not calls:
            return {"function": None, "message": message.content}
        call = calls[0].function
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError as error:
            raise LLMError(f"The model called {call.name!r} with arguments that are no JSON: {error}") from error
        return {"function": call.name, "arguments": arguments}

    @classmethod
    def sm(cls, prompt: str) -> dict[str, str]:
        """Return a system message."""
        return {"role": "system", "content": prompt}

    @classmethod
    def um(cls, prompt: str) -> dict[str, str]:
        """Return a user message."""
        return {"role": "user", "content": prompt}

    @classmethod
    def am(cls, prompt: str) -> dict[str, str]:
        """Return an assistant message."""
        return {"role": "assistant", "content": prompt}

    @classmethod
    def fn(cls, name: str, description: str, params: dict[str, Any], required: list[str]) -> dict[str, Any]:
        """Return a tool's declaration; `params` are the properties of its JSON schema."""
        schema = {"type": "object", "properties": params, "required": required}
        return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}

    @classmethod
    def generate_embeddings(cls, inputs: list[str], model: str | None = None, *args: Any, **kwargs: Any) -> list[Any]:
        """Return an embedding for each text; credentials as in `get_client`."""
        credentials = {name: kwargs.pop(name) for name in CREDENTIAL_ARGUMENTS if name in kwargs}
        client = cls.get_client(*args, **credentials)
        answer = client.embeddings.create(model=model or DEFAULT_EMBEDDING_MODEL, input=inputs, **kwargs)
        return [item.embedding for item in answer.data]


def _streamed(chunks: Any, callback: Callable[[str], Any] | None) -> str:
    pieces: list[str] = []
    for chunk in chunks:
        piece = chunk.choices[0].delta.content if chunk.choices else None
        if piece:
            pieces.append(piece)
            if callback is not None:
                callback(piece)
    return "".join(pieces)


def _client_class(name: str) -> Any:
    """Return the client's class; one that a bot or its tests put into `jb_manager_bot.parsers.utils` wins."""
    published = sys.modules.get("jb_manager_bot.parsers.utils")
    replaced = vars(published).get(name) if published is not None else None
    return replaced or getattr(_import("openai", "call a model"), name)


def _new_client(
    made_by: Any, azure: bool, endpoint: str | None, key: str | None, version: str | None, scope: str | None
) -> Any:
    if not (key or endpoint or scope) and os.environ.get("OPENAI_BASE_URL") and os.environ.get("OPENAI_API_KEY"):
        # The Bot's own model (spec.model), through the supervisor, which meters it and does the retries.
        package: Any = made_by if not azure else _import("openai", "call a model").OpenAI
        return package(timeout=METERED_TIMEOUT_SECONDS, max_retries=0)
    stand_in = not isinstance(made_by, type)  # A test's, which answers whatever it is called with.
    if not azure:
        if not key and not stand_in:
            raise LLMError(
                "There is no key for the model: declare the Bot's spec.model, or give it the credential OPENAI_API_KEY."
            )
        return _limited(made_by(api_key=key, **({"base_url": endpoint} if endpoint else {})))
    if not endpoint and not stand_in:
        raise LLMError("Azure needs an address: give the bot the credential AZURE_OPENAI_API_ENDPOINT.")
    if not key and not scope and not stand_in:
        raise LLMError("There is no key for the model: give the bot the credential AZURE_OPENAI_API_KEY.")
    login: dict[str, Any] = {"api_key": key}
    if not key and scope:
        identity = _import("azure.identity", "log in to Azure without a key")
        login = {
            "azure_ad_token_provider": identity.get_bearer_token_provider(identity.DefaultAzureCredential(), scope)
        }
    return _limited(made_by(azure_endpoint=endpoint, api_version=version or "2024-06-01", **login))


def _limited(client: Any) -> Any:
    """Bound a client's calls, after it was made: tests of bots compare how it was made."""
    client.timeout, client.max_retries = TIMEOUT_SECONDS, MAX_RETRIES
    return client


def _import(name: str, purpose: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.replace(".", "-")
        raise LLMError(
            f"The package {package!r} is needed to {purpose}: add it to the bundle's requirements."
        ) from error
