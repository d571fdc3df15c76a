"""Calls of a loop bot that wait for a person, in the console: shown, allowed, rejected."""

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


def said(clerk: Dev, thread: str) -> str:
    """Say something in a thread of nora; return where the console shows it."""
    body = {"text": "please write", "conversation": f"nora~{thread}", "persona": "nora"}
    answer = httpx.post(f"{clerk.url}/v1/namespaces/dev/bots/clerk/messages", json=body, trust_env=False, timeout=60)
    assert answer.status_code == 202, answer.text
    return f"{clerk.url}/#/dev/clerk/nora~{thread}"


@pytest.mark.parametrize(
    ("button", "answer"),
    [("Allow", "Done: written"), ("Reject", "Done: A person rejected this call.")],
)
def test_a_person_decides_on_a_call(clerk: Dev, open_page: OpenPage, button: str, answer: str) -> None:
    page = open_page(said(clerk, "t1"))
    decision = page.get_by_role("group", name="Decide on write")
    expect(page.locator("#log")).to_contain_text("write: write it", timeout=90_000)
    expect(page.locator("#log")).to_contain_text("It writes.")
    decision.get_by_role("button", name=button).click()
    expect(page.locator("#log")).to_contain_text(answer, timeout=90_000)
    expect(decision.get_by_role("button", name="Allow")).to_be_disabled()
