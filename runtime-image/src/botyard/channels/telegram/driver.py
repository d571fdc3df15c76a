"""One channel of type `telegram`."""

import base64
import contextlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic import ValidationError

from botyard.channels import http
from botyard.channels.errors import DeliveryFailed, NotGenuine, Unreadable
from botyard.channels.inbound import InboundMessage
from botyard.channels.settings import TelegramChannel
from botyard.channels.storage import ChannelStorage
from botyard.channels.telegram.calls import Call, as_form, calls_for
from botyard.channels.telegram.choices import is_digest
from botyard.channels.telegram.updates import CallbackQuery, Message, Update, payload_of_button, payload_of_message

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name


class TelegramDriver:
    """Speaks Telegram's Bot API for one bot."""

    def __init__(self, settings: TelegramChannel, storage: ChannelStorage) -> None:
        """Prepare; `storage` keeps the ids of options that are too long for a button."""
        self.settings = settings
        self._storage = storage
        self._http = http.client(settings.timeout_seconds)
        self._base = f"{settings.api.rstrip('/')}/bot{settings.token.get_secret_value()}"
        self._files = f"{settings.api.rstrip('/')}/file/bot{settings.token.get_secret_value()}"

    async def start(self) -> None:
        """Set the webhook, where the gateway's public address is known."""
        if not self.settings.public_url:
            return
        address = f"{self.settings.public_url.rstrip('/')}/v1/channels/{self.settings.name}"
        await self._call(
            Call(
                "setWebhook",
                {
                    "url": address,
                    "secret_token": self.settings.secret.get_secret_value(),
                    "allowed_updates": ["message", "callback_query"],
                },
            )
        )

    async def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[InboundMessage]:
        """Return the message of an update; see `ChannelDriver`."""
        given = headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.settings.secret.get_secret_value().encode()):
            raise NotGenuine("The update does not carry the secret token of this webhook.")
        try:
            update = Update.model_validate_json(body)
        except ValidationError as error:
            item = error.errors(include_url=False, include_input=False)[0]
            raise Unreadable(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}") from None
        if update.callback_query is not None:
            return await self._button(update.update_id, update.callback_query)
        if update.message is not None:
            return await self._message(update.update_id, update.message)
        return []

    async def _button(self, update: int, query: CallbackQuery) -> Sequence[InboundMessage]:
        if query.message is None:
            return []
        chat = str(query.message.chat.id)
        full = await self._storage.option(self.settings.name, chat, query.data) if is_digest(query.data) else None
        # Ends the button's spinner; the press counts whether or not that works.
        with contextlib.suppress(DeliveryFailed):
            await self._call(Call("answerCallbackQuery", {"callback_query_id": query.id}))
        return [self._inbound(update, chat, query.sender.id, payload_of_button(query, full))]

    async def _message(self, update: int, message: Message) -> Sequence[InboundMessage]:
        payload = await self._file(message) if message.file is not None else payload_of_message(message)
        if payload is None:
            return []
        sender = message.sender.id if message.sender is not None else message.chat.id
        return [self._inbound(update, str(message.chat.id), sender, payload)]

    def _inbound(self, update: int, chat: str, sender: int, payload: Mapping[str, Any]) -> InboundMessage:
        return InboundMessage(conversation=chat, user=str(sender), payload=payload, id=str(update))

    async def _file(self, message: Message) -> dict[str, Any]:
        """Return what the bot gets for a file: its content, because its address holds the bot's token."""
        file = message.file
        assert file is not None
        text = message.caption
        try:
            content = await self._download(file.file_id, file.file_size or 0)
        except DeliveryFailed as error:
            if not error.permanent:
                raise
            # The bot hears of a file that it cannot get, and may answer.
            return {"text": text or "[file]", "payload": {}}
        media_type = file.mime_type or {"image": "image/jpeg", "audio": "audio/ogg"}.get(message.file_kind, "")
        url = f"data:{media_type or 'application/octet-stream'};base64,{base64.b64encode(content).decode()}"
        name = file.file_name or message.file_kind
        return {"text": text, "files": [{"name": name[:255], "url": url, "type": media_type, "size": len(content)}]}

    async def _download(self, file_id: str, size: int) -> bytes:
        limit = self.settings.max_file_bytes
        if size > limit:
            raise DeliveryFailed(f"the file has {size} bytes, {limit} are allowed", permanent=True)
        answer = await self._call(Call("getFile", {"file_id": file_id}))
        path = str(answer.json()["result"].get("file_path") or "")
        content = bytearray()
        try:
            async with self._http.stream("GET", f"{self._files}/{path}") as response:
                if not response.is_success:
                    raise DeliveryFailed("the file cannot be downloaded", permanent=response.status_code < 500)
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > limit:
                        raise DeliveryFailed(f"the file has more than {limit} bytes", permanent=True)
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"download: {type(error).__name__}") from None
        return bytes(content)

    async def deliver(self, conversation: str, number: str, envelope: Mapping[str, Any]) -> None:
        """Say one output in its chat; see `ChannelDriver`.

        An output of several calls goes on, on the next attempt, with the call that failed.
        """
        calls = calls_for(envelope, conversation, forms=self.settings.forms, languages=self.settings.languages)
        done = await self._storage.progress(self.settings.name, conversation, number) if len(calls) > 1 else 0
        for position, call in enumerate(calls[done:], start=done + 1):
            if call.long_ids:
                await self._storage.keep_options(self.settings.name, conversation, call.long_ids)
            await self._call(call)
            if len(calls) > 1:
                await self._storage.set_progress(self.settings.name, conversation, number, position)

    async def _call(self, call: Call) -> httpx.Response:
        what = f"{call.method} of channel {self.settings.name}"
        url = f"{self._base}/{call.method}"
        if call.upload is None:
            return await http.send(self._http, "POST", url, what=what, json=dict(call.parameters))
        parameter, name, content, media_type = call.upload
        files = {parameter: (name, content, media_type)}
        return await http.send(self._http, "POST", url, what=what, data=as_form(call.parameters), files=files)

    async def close(self) -> None:
        """End its connections."""
        await self._http.aclose()
