"""Socket.IO's own JavaScript client in a real browser."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from tests.browser.conftest import FLAGS
from tests.integration.gateway.chat.client import stream_answer
from tests.integration.gateway.system import System

CLIENT = Path(__file__).parent / "vendor" / "socket.io-4.8.4.min.js"
CONNECT = """
([transports, after]) => new Promise((resolve, reject) => {
    const auth = {user_session_id: "sess1", bearer_token: "token-of-ann", tenant: "shop"};
    if (after !== null) auth.after = after;
    window.heard = [];
    window.socket = io({path: "/socket.io", transports, auth, forceNew: true});
    socket.onAny((event, ...data) => heard.push([event, ...data]));
    socket.on("session_info", resolve);
    socket.on("connect_error", (error) => reject(error.message));
})
"""
SAY = """
(text) => new Promise((resolve) => {
    const message = {message: {text, bundle_id: "echo", conversation_id: "c1"}, attachment_meta: [{name: "a.bin"}]};
    socket.emit("chat_message", message, new Uint8Array([1, 2, 3]), resolve);
})
"""
TEXTS = "() => heard.filter(([event]) => event === 'chat_delta').map(([_, data]) => data.text)"


@pytest.fixture
async def page(system: System) -> AsyncIterator[Page]:
    """A page of the gateway's own origin with the client in it."""
    binary = shutil.which("chromium")
    if binary is None:
        pytest.fail("chromium is not installed: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=binary, args=FLAGS, headless=True)
        opened = await browser.new_page()
        await opened.goto(f"{system.url}/healthz")
        await opened.add_script_tag(path=CLIENT)
        yield opened
        await browser.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids="+".join)
async def test_the_real_client_speaks_streams_and_attaches(system: System, page: Page, transports: list[str]) -> None:
    info: Any = await page.evaluate(CONNECT, [transports, None])
    assert info["session_id"] == "sess1"
    ack: Any = await page.evaluate(SAY, "hello")
    assert ack["status"] == "processing_started", ack
    (entry,) = await system.waiting()
    assert '"name":"a.bin"' in entry.payload
    await stream_answer(system, "a", "b", target=info["sid"])
    await page.wait_for_function(f"({TEXTS})().length === 2", timeout=60_000)
    assert await page.evaluate(TEXTS) == ["a", "b"]


async def test_the_real_client_comes_back_and_has_missed_nothing(system: System, page: Page) -> None:
    await page.evaluate(CONNECT, [["websocket"], ""])
    await page.evaluate(SAY, "hello")
    await stream_answer(system, "a", commit=False)
    await page.wait_for_function(f"({TEXTS})().length === 1", timeout=60_000)
    position = await page.evaluate("() => heard.find(([event]) => event === 'chat_delta')[2]")
    await page.evaluate("() => socket.disconnect()")
    await stream_answer(system, "b", "c")
    await page.evaluate(CONNECT, [["websocket"], position])
    await page.wait_for_function(f"({TEXTS})().length === 2", timeout=60_000)
    assert await page.evaluate(TEXTS) == ["b", "c"]


async def test_the_real_client_is_told_why_it_is_not_let_in(system: System, page: Page) -> None:
    wrong = CONNECT.replace("token-of-ann", "wrong")
    with pytest.raises(Exception, match="bearer_token"):
        await page.evaluate(wrong, [["websocket"], None])
