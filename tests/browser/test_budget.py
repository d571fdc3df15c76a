"""What a bot spends, in the console: seen, asked for, granted."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_console import CONTRAST
from tests.integration.gateway.dev import Dev

OpenPage = Callable[..., Page]
FOLDER = Path(__file__).parent / "adviser"
SCRIPT = "rules: [{reply: {text: 'my advice: {last}', usage: {input_tokens: 100, output_tokens: 50}}}]"
NORA = """
apiVersion: botyard.dev/v1alpha1
kind: Persona
metadata: {name: nora}
spec:
  botRef: {name: adviser}
  budget: {daily: 160, perThread: 1000000, onExceeded: Ask}
"""


@pytest.fixture
def adviser(tmp_path: Path) -> Iterator[Dev]:
    """`botyard dev` with a bot that asks a model, for a Persona who can pay for one answer."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "adviser", ignore=shutil.ignore_patterns("__pycache__")))
    (tmp_path / "nora.yaml").write_text(NORA)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    options = "--persona", str(tmp_path / "nora.yaml"), "--model-script", str(tmp_path / "script.yaml")
    with closing(Dev(folder, *options)) as running:
        yield running


def say(adviser: Dev, text: str) -> None:
    """Say something to nora."""
    body = {"text": text, "conversation": "c1", "persona": "nora"}
    answer = httpx.post(f"{adviser.url}/v1/namespaces/dev/bots/adviser/messages", json=body, trust_env=False)
    assert answer.status_code == 202, answer.text


def test_what_a_persona_asks_for_is_granted_and_its_answer_comes(adviser: Dev, open_page: OpenPage) -> None:
    for text in ("begin", "one", "two"):
        say(adviser, text)
    page = open_page(f"{adviser.url}/#/dev/adviser/c1")
    answers = page.locator("#log li.bot:not(.void) .bubble")
    expect(answers).to_have_text(["my advice: one"], timeout=90_000)

    notes = page.locator("#log li.note")
    expect(notes.filter(has_text="Persona nora has spent 150 of 160 coins.")).to_be_visible(timeout=90_000)
    expect(notes.last).to_contain_text("Put aside: the budget of Persona nora is used up", timeout=90_000)
    expect(notes.last).to_contain_text("It goes on at")

    page.get_by_role("button", name="Budget: 1 asked for").click(timeout=90_000)
    dialog = page.get_by_role("dialog", name="Budget of dev/adviser")
    nora = dialog.get_by_role("row", name="nora")
    expect(nora).to_contain_text("150 coins")
    expect(nora).to_contain_text("160 coins")
    expect(nora).to_contain_text("used up")
    ask = dialog.locator("#asks li")
    expect(ask).to_contain_text("nora has spent 150 coins ($0.00015) of 160 coins ($0.00016) and needs at least")

    ask.get_by_role("spinbutton").fill("200")
    ask.get_by_role("button", name="Grant").click()
    expect(dialog.locator("#budget-said")).to_contain_text("200 coins ($0.0002) granted to nora for today.")
    expect(ask).to_have_count(0)
    expect(nora).to_contain_text("360 coins")
    expect(nora).to_contain_text("300 coins", timeout=90_000)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(answers).to_have_text(["my advice: one", "my advice: two"], timeout=90_000)
    expect(notes.filter(has_text="The bot goes on.")).to_have_count(1)
    expect(page.get_by_role("button", name="Budget", exact=True)).to_be_visible()


def test_more_is_granted_to_a_persona_that_did_not_ask(adviser: Dev, open_page: OpenPage) -> None:
    page = open_page(f"{adviser.url}/#/dev/adviser")
    page.get_by_role("button", name="Budget", exact=True).click()
    dialog = page.get_by_role("dialog", name="Budget of dev/adviser")
    nora = dialog.get_by_role("row", name="nora")
    expect(nora).to_contain_text("160 coins", timeout=90_000)
    dialog.get_by_label("Grant").first.fill("40")
    dialog.locator("#grant-form").get_by_role("button", name="Grant").click()
    expect(nora).to_contain_text("200 coins")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read_in_light_and_dark_and_on_a_narrow_screen(adviser: Dev, open_page: OpenPage, dark: bool) -> None:
    for text in ("begin", "one", "two"):
        say(adviser, text)
    page = open_page(f"{adviser.url}/#/dev/adviser/c1", width=360, height=640, dark=dark)
    page.get_by_role("button", name="Budget: 1 asked for").click(timeout=90_000)
    expect(page.locator("#asks li")).to_be_visible()
    for selector in ("#accounts th", "#accounts .exceeded .mark", "#asks p", "thead th", "#budget-close"):
        ratio = page.locator(selector).first.evaluate(CONTRAST)
        assert ratio >= 4.5, f"{selector}: {ratio:.1f}"
    assert page.evaluate("document.documentElement.scrollWidth") == 360
