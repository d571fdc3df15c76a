"""One conversation at the terminal: played from lines, or held by a person."""

import json
import queue
import sys
import threading
import time
from collections.abc import Iterable

from botyard.cli.chat.transcript import Options, lines_of, message_of, options_of
from botyard.cli.client import Bot, Client, Event, Sent
from botyard.cli.errors import EXIT_FAILED, CommandError


class Session:
    """A conversation with one bot.

    A thread follows the conversation, so that what a bot says by itself (after a callback) shows at once too.

    Args:
        client: The gateway.
        bot: Whom to talk to.
        conversation: Conversation to go on with; None: a new one.
        user_name: What stands before the user's lines.
        timeout: Seconds for the answer to one message.
        raw: Print events as JSON.
    """

    def __init__(
        self, client: Client, bot: Bot, *, conversation: str | None, user_name: str, timeout: float, raw: bool
    ) -> None:
        self._client = client
        self._bot = bot
        self._conversation = conversation
        self._user_name = user_name
        self._timeout = timeout
        self._raw = raw
        self._options: Options = []
        self._finished: queue.Queue[Event | CommandError] = queue.Queue()
        self._following: str | None = None

    def play(self, lines: Iterable[str]) -> int:
        """Send lines one after the other and print what is said; 1 when a turn failed, after which nothing is sent.

        Raises:
            CommandError: The gateway refuses or the answer takes too long.
        """
        for line in lines:
            if not self._raw:
                print(f"{self._user_name}> {line.strip()}", flush=True)
            last = self._say(line)
            if last.data.get("state") != "completed":
                return EXIT_FAILED
        return 0

    def interact(self) -> int:
        """Hold a conversation until the input ends.

        Raises:
            CommandError: The gateway refuses for good.
        """
        print(f"{self._bot.namespace}/{self._bot.name}. /new begins another conversation, /quit ends.")
        while True:
            try:
                line = input(f"{self._user_name}> ")
            except EOFError:
                print()
                return 0
            if line.strip() == "/quit":
                return 0
            if line.strip() == "/new":
                self._conversation, self._following, self._options = None, None, []
                continue
            if not line.strip():
                continue
            try:
                self._say(line)
            except CommandError as error:
                print(f"botyard: {error}", file=sys.stderr)

    def _say(self, line: str) -> Event:
        sent = self._client.send(self._bot, message_of(line, self._options), self._conversation)
        self._conversation = sent.conversation
        self._options = []
        if self._following != sent.conversation:
            self._following = sent.conversation
            threading.Thread(target=self._follow, args=(sent.conversation,), daemon=True).start()
        return self._await(sent)

    def _await(self, sent: Sent) -> Event:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                event = self._finished.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise CommandError(
                    f"{self._bot.name} has not finished its turn within {self._timeout:g} s; the conversation goes on: "
                    f"--conversation {sent.conversation}"
                ) from None
            if isinstance(event, CommandError):
                raise event
            if event.turn == sent.turn:
                return event

    def _follow(self, conversation: str) -> None:
        try:
            for event in self._client.follow(self._bot, conversation):
                if self._following != conversation:
                    return
                self._show(event)
                if event.type == "chat.complete":
                    self._finished.put(event)
        except CommandError as error:
            self._following = None
            self._finished.put(error)

    def _show(self, event: Event) -> None:
        if self._raw:
            print(json.dumps({"id": event.id, **event.envelope}, ensure_ascii=False), flush=True)
        else:
            for line in lines_of(event, self._bot.name):
                print(line, flush=True)
        if options := options_of(event):
            self._options = options
