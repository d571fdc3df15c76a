"""Threads of a loop bot in the console: calls that wait for a person; found, begun, renamed, put into the archive."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.integration.gateway.dev import Dev
from tests.integration.loop.test_threads import CODE, SCRIPT

OpenPage = Callable[..., Page]
NORA = """
apiVersion: botyard.dev/v1alpha1
kind: Persona
metadata: {name: nora}
spec: {botRef: {name: clerk}}
"""


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Dev]:
    """`botyard dev` with a bot that asks before it writes."""
    folder = tmp_path / "clerk"
    folder.mkdir()
    (folder / "bot.py").write_text(CODE.replace("WORKDIR", str(tmp_path)))
    (tmp_path / "nora.yaml").write_text(NORA)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    options = "--persona", str(tmp_path / "nora.yaml"), "--model-script", str(tmp_path / "script.yaml")
    with closing(Dev(folder, *options)) as running:
        yield running


def said(clerk: Dev, thread: str, text: str = "please write") -> str:
    """Say something in a thread of nora; return where the console shows it."""
    body = {"text": text, "conversation": f"nora~{thread}", "persona": "nora"}
    answer = httpx.post(f"{clerk.url}/v1/namespaces/dev/bots/clerk/messages", json=body, trust_env=False, timeout=60)
    assert answer.status_code == 202, answer.text
    return f"{clerk.url}/#/dev/clerk/nora~{thread}"


@pytest.mark.parametrize(
    ("button", "answer"),
    [("Allow", "Done: written"), ("Reject", "Done: A person rejected this call. Reason: Too early.")],
)
def test_a_person_decides_on_a_call(clerk: Dev, open_page: OpenPage, button: str, answer: str) -> None:
    page = open_page(said(clerk, "t1"))
    decision = page.get_by_role("group", name="Decide on write")
    expect(page.locator("#log")).to_contain_text("write: write it", timeout=90_000)
    expect(page.locator("#log")).to_contain_text("It writes.")
    if button == "Reject":
        decision.get_by_role("textbox", name="Reason").fill("Too early.")
    decision.get_by_role("button", name=button).click()
    expect(page.locator("#log")).to_contain_text(answer, timeout=90_000)
    expect(decision.get_by_role("button", name="Allow")).to_be_disabled()


def test_threads_are_found_renamed_and_put_into_the_archive(clerk: Dev, open_page: OpenPage) -> None:
    for thread, text in (("bikes", "a question about bicycles"), ("cars", "a question about cars")):
        said(clerk, thread, text)
    page = open_page(clerk.url)
    page.get_by_role("button", name="Threads").click()
    listed = page.locator("#threads-list li")
    expect(listed).to_have_count(2, timeout=90_000)
    page.get_by_role("searchbox", name="Search").fill("bicycles")
    expect(listed).to_have_count(1)

    page.get_by_role("button", name="Rename a question about bicycles").click()
    page.get_by_role("textbox", name="Title of a question about bicycles").fill("Bicycles")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Archive Bicycles").click(timeout=90_000)
    expect(listed).to_have_count(0, timeout=90_000)
    page.get_by_role("checkbox", name="Archived").check()
    page.get_by_role("button", name="Restore Bicycles").click(timeout=90_000)
    page.get_by_role("checkbox", name="Archived").uncheck()
    page.get_by_role("button", name="Bicycles", exact=True).click(timeout=90_000)
    expect(page.locator("#log")).to_contain_text("you said a question about bicycles", timeout=90_000)
    expect(page.locator("#bot-name")).to_contain_text("nora")

    page.get_by_role("button", name="Threads").click()
    page.get_by_role("button", name="New thread").click()
    page.get_by_label("Message").fill("something new")
    page.keyboard.press("Enter")
    expect(page.locator("#log")).to_contain_text("you said something new", timeout=90_000)
