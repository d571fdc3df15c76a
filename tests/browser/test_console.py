"""The console as people use it."""

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from botyard.core import keys
from botyard.core.connection import connect
from botyard.core.envelope import TurnIdentity, envelope
from botyard.core.inbox import parse_entry
from botyard.core.leases import Leases
from botyard.core.retention import Retention
from botyard.core.turns import Turns
from tests.browser.conftest import GHOST, GatewayProcess
from tests.integration.gateway.dev import Dev, until
from tests.integration.redis.server import RedisServer

OpenPage = Callable[..., Page]


def say(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.get_by_label("Message").press("Enter")


def from_bot(page: Page) -> Locator:
    return page.locator("#log li.bot .bubble")


def from_user(page: Page) -> Locator:
    return page.locator("#log li.user .bubble")


def haunt(redis: RedisServer, *events: tuple[str, int, dict[str, str]]) -> None:
    """Say something as the runtime of the ghost, in the turn that waits."""

    async def emit() -> None:
        client = connect(redis.url)
        for partition in GHOST.all_partitions():
            entries: Any = await client.xrange(keys.inbox(partition))
            for stored in entries:
                entry = parse_entry(partition, *stored)
                lease = await Leases(client, owner="ghost").acquire(partition)
                assert lease is not None
                said = [
                    envelope(
                        TurnIdentity(GHOST, entry.key, entry.turn, entry.event, entry.user, attempt),
                        now=time.time(),
                        type=kind,
                        step="test",
                        status="running",
                        data=data,
                    )
                    for kind, attempt, data in events
                ]
                number = time.monotonic_ns() // 1000
                await Turns(client).emit(lease, entry, said, number=number, retention=Retention())
        await client.aclose()

    # Playwright has an event loop of its own in this thread.
    with ThreadPoolExecutor() as thread:
        thread.submit(asyncio.run, emit()).result()


@pytest.fixture
def talk(gateway: GatewayProcess, open_page: OpenPage) -> Page:
    """A conversation with the parrot, which listens now."""
    page = open_page(gateway.url)
    page.get_by_role("button", name="dev/parrot").click()
    say(page, "hello")
    expect(page.locator("#link")).to_have_text("connected")
    expect(page.locator("#busy")).to_be_hidden()
    return page


class TestRepairs:
    def test_a_repair_is_booked_by_words_and_buttons(self, repairs: Dev, open_page: OpenPage) -> None:
        page = open_page(repairs.url)
        # The only bot there is needs no choosing.
        expect(page.get_by_role("heading", name="dev/repairs")).to_be_visible()
        say(page, "hi")
        page.get_by_role("button", name="Brakes").click()
        expect(page.get_by_role("button", name="Brakes")).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_role("button", name="Flat tyre")).to_be_disabled()
        expect(from_bot(page).last).to_contain_text("Which bicycle is it?")
        say(page, "blue touring bike")
        expect(from_bot(page).filter(has_text="Brakes for your blue touring bike: ")).to_be_visible()
        page.locator("#log li").last.get_by_role("button").first.click()
        expect(page.locator("#log li.note").last).to_contain_text("come to its end")
        assert from_user(page).all_inner_texts()[:3] == ["hi", "Brakes", "blue touring bike"]

    def test_a_new_conversation_begins_with_an_empty_page(self, repairs: Dev, open_page: OpenPage) -> None:
        page = open_page(repairs.url)
        say(page, "hi")
        expect(page.get_by_role("button", name="Brakes")).to_be_visible()
        address = page.url
        page.get_by_role("button", name="New conversation").click()
        expect(page.locator("#log li")).to_have_count(0)
        say(page, "hi")
        expect(page.get_by_role("button", name="Brakes")).to_be_visible()
        assert page.url != address

    def test_code_that_breaks_is_told_and_mended_without_a_reload(
        self, repairs: Dev, open_page: OpenPage, tmp_path: Path
    ) -> None:
        page = open_page(repairs.url)
        assert repairs.folder is not None
        bot = repairs.folder / "bot.py"
        code = bot.read_text()
        try:
            bot.write_text(code + "\nimport nothing_of_the_kind\n")
            notice = page.locator("#notice")
            expect(notice).to_contain_text("nothing_of_the_kind", timeout=30_000)
            expect(page.get_by_role("button", name="Send")).to_be_disabled()
        finally:
            bot.write_text(code)
        expect(notice).to_be_hidden(timeout=30_000)
        expect(page.get_by_role("button", name="Send")).to_be_enabled()


class TestBots:
    def test_bots_are_listed_with_what_keeps_them_from_being_ready(
        self, gateway: GatewayProcess, open_page: OpenPage
    ) -> None:
        page = open_page(gateway.url)
        expect(page.locator("#bots li")).to_have_count(3)
        _, owl, parrot = page.locator("#bots li").all()
        expect(parrot.get_by_role("img", name="ready", exact=True)).to_be_visible()
        expect(owl.get_by_role("img", name="not ready")).to_be_visible()
        expect(owl).to_contain_text("Bundle dev/owl: no module bot")

    def test_a_bot_that_is_not_ready_takes_no_message_and_says_why(
        self, gateway: GatewayProcess, open_page: OpenPage
    ) -> None:
        page = open_page(gateway.url)
        page.get_by_role("button", name="dev/owl").click()
        expect(page.locator("#notice")).to_have_text("owl is not ready: Bundle dev/owl: no module bot")
        say(page, "hello")
        expect(page.locator("#log li")).to_have_count(0)
        # What was written is not lost.
        expect(page.get_by_label("Message")).to_have_value("hello")


class TestInterruptions:
    def test_a_gateway_that_is_killed_and_comes_back_misses_and_doubles_nothing(
        self, talk: Page, gateway: GatewayProcess, parrot: Dev
    ) -> None:
        say(talk, "one")
        expect(from_bot(talk)).to_have_text(["one"])
        conversation = talk.url.rsplit("/", 1)[-1]
        gateway.kill()
        expect(talk.locator("#link")).to_have_text("connection lost, trying again…")
        # Meanwhile the conversation goes on by another way.
        base = f"{parrot.url}/v1/namespaces/dev/bots/parrot"
        for text in ("two", "three"):
            body = {"text": text, "conversation": conversation}
            assert httpx.post(f"{base}/messages", json=body, trust_env=False).status_code == 202
        until(
            lambda: (
                httpx.get(f"{base}/conversations/{conversation}", trust_env=False).json()["turns"][-1]["state"]
                == "completed"
            ),
            parrot.log.read_text,
        )
        gateway.start()
        expect(from_bot(talk)).to_have_text(["one", "two", "three"])
        expect(talk.locator("#link")).to_have_text("connected")
        say(talk, "four")
        expect(from_bot(talk)).to_have_text(["one", "two", "three", "four"])
        expect(from_user(talk)).to_have_text(["hello", "one", "four"])

    def test_a_message_that_could_not_be_sent_is_sent_again_once(self, talk: Page, gateway: GatewayProcess) -> None:
        gateway.kill()
        say(talk, "one")
        failed = talk.locator("#log li.user.failed")
        expect(failed).to_contain_text("The gateway cannot be reached.")
        gateway.start()
        failed.get_by_role("button", name="Send again").click()
        expect(from_bot(talk)).to_have_text(["one"])
        expect(failed).to_have_count(0)
        expect(from_user(talk)).to_have_text(["hello", "one"])

    def test_a_reload_shows_the_whole_conversation_again(self, talk: Page) -> None:
        for text in ("one", "two"):
            say(talk, text)
            expect(from_bot(talk).last).to_have_text(text)
        talk.reload()
        expect(from_bot(talk)).to_have_text(["one", "two"])
        expect(talk.locator("#log .bubble")).to_have_text(["hello", "one", "one", "two", "two"])
        say(talk, "three")
        expect(from_bot(talk)).to_have_text(["one", "two", "three"])

    def test_what_an_interrupted_answer_had_said_is_void(
        self, gateway: GatewayProcess, open_page: OpenPage, redis: RedisServer
    ) -> None:
        page = open_page(gateway.url)
        page.get_by_role("button", name="dev/ghost").click()
        say(page, "hello")
        expect(page.locator("#busy")).to_contain_text("ghost is answering")
        haunt(redis, ("bot.message", 1, {"text": "half of it"}))
        expect(from_bot(page)).to_have_text(["half of it"])
        haunt(redis, ("turn.restarted", 2, {}), ("bot.message", 2, {"text": "all of it"}))
        expect(page.locator("#log li.bot:not(.void) .bubble")).to_have_text(["all of it"])
        expect(page.locator("#log li.bot.void .bubble")).to_have_text(["half of it"])
        expect(page.locator("#log li.note")).to_contain_text("attempt 2")
        expect(page.locator("#busy")).to_be_visible()
        haunt(redis, ("chat.complete", 2, {"state": "completed"}))
        expect(page.locator("#busy")).to_be_hidden()

    def test_an_answer_that_began_twice_stands_once(self, talk: Page, tmp_path: Path) -> None:
        text = f"die once {tmp_path / 'marker'}"
        say(talk, text)
        expect(from_bot(talk).last).to_have_text(text, timeout=30_000)
        standing = talk.locator("#log li.bot:not(.void) .bubble")
        expect(standing).to_have_text(["about to fall", text])


@pytest.mark.parametrize(
    "gateway", [["--auth", "tokens", "--tokens", "FOLDER/tokens.yaml"]], indirect=True, ids=["tokens"]
)
def test_who_is_asked_for_a_token_signs_in_and_out(gateway: GatewayProcess, open_page: OpenPage) -> None:
    page = open_page(gateway.url)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Token").fill("wrong")
    dialog.get_by_label("Token").press("Enter")
    expect(dialog).to_contain_text("The token is not valid here")
    dialog.get_by_label("Token").fill("token-of-ann")
    dialog.get_by_role("button", name="Sign in").click()
    # The only bot that ann may use.
    expect(page.get_by_role("heading", name="dev/parrot")).to_be_visible()
    say(page, "hello")
    expect(page.locator("#link")).to_have_text("connected")
    page.reload()
    expect(page.get_by_role("heading", name="dev/parrot")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(dialog).to_be_visible()
    expect(page.locator("#bots li")).to_have_count(0)
    assert page.evaluate("Object.entries(sessionStorage).flat().join()").count("token-of-ann") == 0


class TestTurns:
    def test_a_running_turn_is_seen_and_can_be_stopped(self, talk: Page) -> None:
        say(talk, "slow")
        expect(talk.locator("#busy")).to_contain_text("parrot is answering")
        talk.get_by_role("button", name="Stop").click()
        expect(talk.locator("#log li.note").last).to_have_text("Stopped.")
        expect(talk.locator("#busy")).to_be_hidden()
        say(talk, "quick")
        expect(from_bot(talk)).to_have_text(["quick"])

    def test_messages_that_wait_are_counted(self, talk: Page) -> None:
        say(talk, "slow")
        say(talk, "next")
        expect(talk.locator("#busy")).to_contain_text("(1 more waiting)")
        talk.get_by_role("button", name="Stop").click()
        expect(talk.locator("#busy")).to_be_hidden()

    def test_a_failing_turn_says_what_went_wrong(self, talk: Page) -> None:
        say(talk, "fail")
        expect(talk.locator("#log li.bot.error")).to_contain_text("no more crackers")
        expect(talk.locator("#busy")).to_be_hidden()


@pytest.mark.parametrize(
    "attack",
    [
        "<img src=x onerror=\"document.title='hacked'\">",
        "<script>document.title='hacked'</script>",
        "<svg onload=\"document.title='hacked'\"><a href=\"javascript:document.title='hacked'\">x</a></svg>",
        "<iframe srcdoc=\"<script>parent.document.title='hacked'</script>\"></iframe>",
    ],
    ids=["img", "script", "svg", "iframe"],
)
def test_markup_in_messages_is_text(talk: Page, attack: str) -> None:
    say(talk, attack)
    expect(from_bot(talk).last).to_contain_text(attack)
    expect(from_user(talk).last).to_have_text(attack)
    option = talk.locator("#log .options button").last
    expect(option).to_have_text(attack)
    option.click()
    expect(from_user(talk)).to_have_count(3)
    assert talk.locator("#log :is(img, script, svg, iframe, a)").count() == 0
    assert talk.title() == "Botyard"


def test_sound_can_be_heard(talk: Page) -> None:
    say(talk, "sing")
    expect(from_bot(talk).filter(has_text="A song")).to_be_visible()
    # A blocked or broken source would have no duration.
    talk.wait_for_function("() => document.querySelector('.bubble audio')?.duration > 0", timeout=90_000)


def test_all_of_it_can_be_done_by_keyboard(gateway: GatewayProcess, open_page: OpenPage) -> None:
    page = open_page(gateway.url)
    expect(page.get_by_role("button", name="dev/parrot")).to_be_visible()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.bot") == "dev/parrot":
            break
    page.keyboard.press("Enter")
    # Choosing a bot leads to the message.
    expect(page.get_by_label("Message")).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    expect(page.locator("#link")).to_have_text("connected")
    page.keyboard.type("two")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("lines")
    page.keyboard.press("Enter")
    expect(from_bot(page)).to_have_text(["two\nlines"], use_inner_text=True)
    page.keyboard.type("<b>")
    page.keyboard.press("Enter")
    expect(page.locator("#log .options button")).to_be_enabled()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#log .options button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(from_user(page)).to_have_count(4)


def test_on_a_narrow_screen_the_list_makes_room(gateway: GatewayProcess, open_page: OpenPage) -> None:
    page = open_page(gateway.url, width=360, height=640)
    page.get_by_role("button", name="dev/parrot").click()
    expect(page.locator("#sidebar")).to_be_hidden()
    say(page, "hello")
    expect(page.locator("#link")).to_have_text("connected")
    say(page, "a-very-long-word-" * 20)
    expect(from_bot(page)).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    send = page.get_by_role("button", name="Send")
    box = send.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 360
    assert box["y"] + box["height"] <= 640
    page.get_by_role("button", name="Bots").click()
    expect(page.get_by_role("button", name="dev/owl")).to_be_visible()
    expect(page.locator("#chat")).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read_in_light_and_dark(gateway: GatewayProcess, open_page: OpenPage, dark: bool) -> None:
    page = open_page(gateway.url, dark=dark)
    page.get_by_role("button", name="dev/parrot").click()
    say(page, "hello")
    expect(page.locator("#link")).to_have_text("connected")
    say(page, "<b>")
    expect(from_bot(page)).to_have_count(1)
    say(page, "fail")
    expect(page.locator("#log li.error")).to_be_visible()
    for selector in ("#bot-name", "li.user .bubble", "li.bot .bubble", ".error .bubble", "#link", "#bots small"):
        ratio = page.locator(selector).first.evaluate(CONTRAST)
        assert ratio >= 4.5, f"{selector}: {ratio:.1f}"


CONTRAST = """
(node) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const background = (each) => {
    const [r, g, b, a = 1] = parse(getComputedStyle(each).backgroundColor);
    return a > 0 ? [r, g, b] : each.parentElement ? background(each.parentElement) : [255, 255, 255];
  };
  const light = (rgb) => rgb.slice(0, 3)
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const [one, other] = [light(parse(getComputedStyle(node).color)), light(background(node))].sort((a, b) => b - a);
  return (one + 0.05) / (other + 0.05);
}
"""
"""Contrast ratio of WCAG 2 of an element's text."""


def test_the_address_of_a_conversation_is_in_the_address_bar(talk: Page) -> None:
    assert re.search(r"/#/dev/parrot/conv_[\w-]+$", talk.url)
