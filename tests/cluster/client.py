"""A person who talks to bots through the gateway."""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx

TURN_SECONDS = 60.0


@dataclass
class Conversation:
    """One conversation with one bot.

    Args:
        http: Client with the gateway as base URL and the caller's token.
        namespace: Of the bot.
        bot: Its name.
    """

    http: httpx.Client
    namespace: str
    bot: str
    identifier: str | None = None
    _seen: str = field(default="", repr=False)

    @property
    def base(self) -> str:
        return f"/v1/namespaces/{self.namespace}/bots/{self.bot}"

    def send(self, text: str) -> str:
        """Send a message and return its turn."""
        body: dict[str, Any] = {"text": text}
        if self.identifier is not None:
            body["conversation"] = self.identifier
        deadline = time.monotonic() + TURN_SECONDS
        while (answer := self.http.post(f"{self.base}/messages", json=body)).status_code == 503:
            # Refused, not lost: the answer says when to try again, as every client must be ready for.
            assert time.monotonic() < deadline, f"refused for {TURN_SECONDS} s: {answer.text}"
            time.sleep(min(float(answer.headers["Retry-After"]), 1.0))
        assert answer.status_code == 202, f"{answer.status_code}: {answer.text}"
        accepted = answer.json()
        self.identifier = accepted["conversation"]
        turn: str = accepted["turn"]
        return turn

    def say(self, text: str) -> str:
        """Send a message, wait until its turn is over and return what the bot said in it."""
        turn = self.send(text)
        return self.answer(turn)

    def answer(self, turn: str) -> str:
        """Wait until a turn is over and return what the bot said since the last answer."""
        deadline = time.monotonic() + TURN_SECONDS
        while True:
            turns = self.http.get(f"{self.base}/conversations/{self.identifier}").raise_for_status().json()["turns"]
            state = next((found for found in turns if found["turn"] == turn), {"state": "open"})
            if state["state"] != "open":
                break
            assert time.monotonic() < deadline, f"turn {turn} is not over after {TURN_SECONDS} s: {state}"
            time.sleep(0.1)
        assert not state.get("error"), f"the turn failed: {state['error']}"
        return "\n".join(text_of(event["data"]) for event in self.events() if event["event"] == "bot.message")

    def events(self) -> list[dict[str, Any]]:
        """Return the events since the last call."""
        found: list[dict[str, Any]] = []
        while True:
            query = {"follow": "false", **({"after": self._seen} if self._seen else {})}
            page = self.http.get(f"{self.base}/conversations/{self.identifier}/events", params=query)
            content = page.raise_for_status().json()
            found += content["events"]
            self._seen = content["last"]
            if not content.get("more"):
                return found


def text_of(value: Any) -> str:
    """Return all texts in a JSON value, in order."""
    if isinstance(value, dict):
        return " ".join(filter(None, map(text_of, value.values())))
    if isinstance(value, list):
        return " ".join(filter(None, map(text_of, value)))
    return value if isinstance(value, str) else ""
