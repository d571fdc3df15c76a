"""The generic webhook channel: signed JSON in both directions."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from botyard.channels import http, signatures
from botyard.channels.errors import Unreadable
from botyard.channels.inbound import InboundMessage
from botyard.channels.settings import WebhookChannel


class WebhookRequest(BaseModel):
    """What the other side posts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conversation: str = Field(pattern=r"^[A-Za-z0-9_+@:=-][A-Za-z0-9_+@:.=-]{0,63}$")
    user: str = Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")
    text: str = ""
    options: list[dict[str, str]] = Field(default_factory=list, max_length=100)
    files: list[dict[str, Any]] = Field(default_factory=list, max_length=32)
    payload: dict[str, Any] = Field(default_factory=dict)


class WebhookDriver:
    """One channel of type `webhook`."""

    def __init__(self, settings: WebhookChannel, *, now: Callable[[], float] = time.time) -> None:
        """Prepare; `now` gives seconds since 1970."""
        self.settings = settings
        self._now = now
        self._http = http.client(settings.timeout_seconds)

    async def start(self) -> None:
        """Nothing: the other side is told the address by its people."""

    async def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[InboundMessage]:
        """Return the one message of a signed request; see `ChannelDriver`."""
        identity = signatures.verify(self.settings.secret.get_secret_value(), headers, body, now=self._now())
        try:
            asked = WebhookRequest.model_validate_json(body)
        except ValidationError as error:
            item = error.errors(include_url=False, include_input=False)[0]
            raise Unreadable(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}") from None
        payload = asked.model_dump(include={"text", "options", "files", "payload"})
        if not any(payload.values()):
            raise Unreadable("text: give text, options, files or payload")
        return [InboundMessage(conversation=asked.conversation, user=asked.user, payload=payload, id=identity[:200])]

    async def deliver(self, conversation: str, number: str, envelope: Mapping[str, Any]) -> None:
        """Post one output; see `ChannelDriver`."""
        if envelope.get("type") not in self.settings.events:
            return
        body = pydantic_core.to_json({"conversation": conversation, "number": int(number), "event": envelope})
        identity = f"{self.settings.name}.{conversation}.{number}"
        headers = signatures.sign(self.settings.secret.get_secret_value(), identity, int(self._now()), body)
        await http.send(
            self._http,
            "POST",
            self.settings.url,
            what=f"webhook of channel {self.settings.name}",
            content=body,
            headers={**headers, "content-type": "application/json"},
        )

    async def close(self) -> None:
        """End its connections."""
        await self._http.aclose()
