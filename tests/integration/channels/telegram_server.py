"""A double of Telegram's Bot API server: keeps what it is called with, answers as the published protocol says."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "123:test-token"


@dataclass
class TelegramServer:
    """What was called, and what to answer."""

    url: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failures: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Answers of the next calls, instead of success."""
    files: dict[str, bytes] = field(default_factory=dict)

    def said(self) -> list[str]:
        """The texts and captions that were sent, in order."""
        return [
            str(parameters.get("text", parameters.get("caption", "")))
            for method, parameters in self.calls
            if method.startswith("send")
        ]

    def of(self, method: str) -> list[dict[str, Any]]:
        """The parameters of all calls of a method."""
        return [parameters for name, parameters in self.calls if name == method]

    async def call(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
        method = request.match_info["method"]
        if request.content_type == "application/json":
            parameters = await request.json()
        else:
            parameters = {}
            for name, value in (await request.post()).items():
                is_file = isinstance(value, web.FileField)
                parameters[name] = (value.filename, value.file.read()) if is_file else value
        if self.failures and method.startswith("send"):
            status, answer = self.failures.pop(0)
            return web.json_response({"ok": False, "error_code": status, **answer}, status=status)
        self.calls.append((method, parameters))
        result: Any = True
        if method == "getFile":
            result = {"file_id": parameters["file_id"], "file_path": f"files/{parameters['file_id']}"}
        return web.json_response({"ok": True, "result": result})

    async def file(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["name"])
        return web.Response(body=content) if content is not None else web.Response(status=404)


@contextlib.asynccontextmanager
async def running_telegram() -> AsyncIterator[TelegramServer]:
    """Serve on a free port."""
    server = TelegramServer()
    application = web.Application()
    application.router.add_post("/bot{token}/{method}", server.call)
    application.router.add_get(f"/file/bot{TOKEN}/files/{{name}}", server.file)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def message(update: int, text: str = "", chat: int = 7, **members: Any) -> bytes:
    """Return an update with a message."""
    content = {"message_id": update, "chat": {"id": chat, "type": "private"}, "from": {"id": 70, "is_bot": False}}
    return json.dumps({"update_id": update, "message": content | ({"text": text} if text else {}) | members}).encode()


def pressed(update: int, data: str, title: str, chat: int = 7) -> bytes:
    """Return an update with a pressed button."""
    keyboard = {"inline_keyboard": [[{"text": title, "callback_data": data}]]}
    said = {"message_id": 1, "chat": {"id": chat}, "text": "?", "reply_markup": keyboard}
    query = {"id": f"q{update}", "from": {"id": 70}, "message": said, "data": data}
    return json.dumps({"update_id": update, "callback_query": query}).encode()
