"""The gateway as commands see it: sends once, follows across disconnects."""

import contextlib
import json
import random
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from botyard.cli import sse
from botyard.cli.errors import CommandError

CONNECT_TIMEOUT = 10.0
SILENCE_TIMEOUT = 45.0
"""Seconds without a byte, keep-alives included, after which a stream counts as broken."""
RETRY_SECONDS = 30.0
"""How long refusals that may pass (429, 503, no connection) are tried again."""
_PAUSE_CAP = 5.0


class Refusal(CommandError):
    """The gateway answered with a problem."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        details = [str(problem.get("detail") or problem.get("title") or f"the gateway answered {status}")]
        details += [f"  {error.get('pointer')}: {error.get('detail')}" for error in problem.get("errors", [])]
        if status == 401:
            details.append("  --token or BOTYARD_TOKEN gives one; `kubectl create token SERVICEACCOUNT` makes one.")
        super().__init__("\n".join(details))
        self.status = status
        self.type = str(problem.get("type", "")).rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot as the list of bots tells it."""

    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Base of its calls."""
        return f"/v1/namespaces/{self.namespace}/bots/{self.name}"


@dataclass(frozen=True, slots=True)
class Sent:
    """The receipt of a message."""

    conversation: str
    turn: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a conversation."""

    id: str
    type: str
    envelope: Mapping[str, Any]

    @property
    def turn(self) -> str:
        """The turn that it belongs to."""
        return str(self.envelope.get("conversation", {}).get("turn_id", ""))

    @property
    def data(self) -> Mapping[str, Any]:
        """The content."""
        found = self.envelope.get("data")
        return found if isinstance(found, dict) else {}


class Client:
    """Calls one gateway.

    Args:
        url: Where it is, for example `http://127.0.0.1:8080`.
        token: Bearer token; empty: none is sent.
        retry_seconds: How long refusals that may pass are tried again.
    """

    def __init__(self, url: str, token: str = "", *, retry_seconds: float = RETRY_SECONDS) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=httpx.Timeout(CONNECT_TIMEOUT, read=SILENCE_TIMEOUT)
        )
        self._retry_seconds = retry_seconds

    def close(self) -> None:
        """End all connections."""
        self._http.close()

    def find_bot(self, name: str) -> Bot:
        """Return the bot that `name` or `namespace/name` means.

        Raises:
            CommandError: There is none, or several; the message lists what there is.
        """
        namespace, slash, short = name.rpartition("/")
        if slash:
            return Bot(namespace, short)
        bots = [Bot(each["namespace"], each["name"]) for each in self._call("GET", "/v1/bots")["bots"]]
        found = [bot for bot in bots if bot.name == name]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(f"{bot.namespace}/{bot.name}" for bot in (found or bots)) or "none"
        what = "there are several bots" if found else "there is no bot"
        raise CommandError(f"{what} of the name {name}; you may use: {listed}")

    def send(self, bot: Bot, message: Mapping[str, Any], conversation: str | None) -> Sent:
        """Send a message once, however often it takes.

        Raises:
            Refusal: It was refused.
            CommandError: The gateway cannot be reached.
        """
        # The id makes sending again harmless.
        body = {**message, "id": str(uuid.uuid4())}
        if conversation:
            body["conversation"] = conversation
        answer = self._call("POST", f"{bot.path}/messages", body)
        return Sent(answer["conversation"], answer["turn"])

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Make any call, with a JSON body where one is given; return the answer's content, None where there is none.

        Raises:
            Refusal: It was refused.
            CommandError: The gateway cannot be reached.
        """
        return self._call(method, path, body)

    def follow(
        self, bot: Bot, conversation: str, *, after: str = "", stop: threading.Event | None = None
    ) -> Iterator[Event]:
        """Yield what the conversation says after an event, for ever; comes back where a stream broke off.

        Raises:
            Refusal: The gateway refuses for good.
            CommandError: It cannot be reached for longer than the retry time.
        """
        path = f"{bot.path}/conversations/{conversation}/events"
        waits = _Waits(self._retry_seconds)
        while stop is None or not stop.is_set():
            try:
                headers = {"Last-Event-ID": after} if after else {}
                with self._http.stream("GET", path, headers=headers) as response:
                    if response.status_code != 200:
                        response.read()
                        raise _refusal(response)
                    waits.reset()
                    for event in sse.parse(response.iter_lines()):
                        after = event.id or after
                        yield Event(event.id, event.type, json.loads(event.data))
                waits.wait(None, 0.0)
            except httpx.HTTPError as error:
                waits.wait(_unreachable(self._http.base_url, error), 0.0)
            except Refusal as error:
                if error.status not in (429, 503):
                    raise
                waits.wait(error, _retry_after(response))

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        waits = _Waits(self._retry_seconds)
        while True:
            try:
                response = self._http.request(method, path, json=body)
            except httpx.HTTPError as error:
                waits.wait(_unreachable(self._http.base_url, error), 0.0)
                continue
            if response.status_code in (429, 503):
                waits.wait(_refusal(response), _retry_after(response))
                continue
            if not response.is_success:
                raise _refusal(response)
            return response.json() if response.content else None


class _Waits:
    """Pauses between attempts: growing, with jitter, up to a limit in all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.reset()

    def reset(self) -> None:
        self._deadline = time.monotonic() + self._seconds
        self._pause = 0.1

    def wait(self, error: CommandError | None, least: float) -> None:
        pause = max(least, self._pause * random.uniform(0.5, 1.0))  # noqa: S311
        if error is not None and time.monotonic() + pause > self._deadline:
            raise error
        time.sleep(pause)
        self._pause = min(self._pause * 2, _PAUSE_CAP)


def _refusal(response: httpx.Response) -> Refusal:
    problem: Any = None
    with contextlib.suppress(ValueError):
        problem = response.json()
    return Refusal(response.status_code, problem if isinstance(problem, dict) else {})


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else 0.0


def _unreachable(url: httpx.URL, error: httpx.HTTPError) -> CommandError:
    return CommandError(f"the gateway at {url} cannot be reached: {error or type(error).__name__}")
