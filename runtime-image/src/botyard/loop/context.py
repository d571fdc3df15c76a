"""The context that a bot's main loop gets: its Persona, its handlers, and the pass over what has parked.

Source: `RobotContext` of the loop model's document and the facts about its kit: the order of a pass, one handler for
each key (the last one wins), exceptions of handlers logged and not raised.
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from botyard.loop import effects
from botyard.loop import shutdown as shutdowns
from botyard.loop.calls import CallOutcome, run_call
from botyard.loop.handlers import Handler, asynchronous, positional, stopping
from botyard.loop.parking import LoopEnded, Parked, Parking
from botyard.loop.personas import FPersonaOutput
from botyard.loop.shutdown import Shutdown
from botyard.loop.tasks import FPersonaKanbanTaskOutput
from botyard.loop.threads import FThreadMessageOutput, FThreadOutput, FThreadWithMessages, message_key

log = logging.getLogger("botyard.loop")

KEPT_MESSAGES = 200
"""Messages of a thread that `RobotContext.latest_threads` holds."""
KEPT_THREADS = 500
"""Threads that it holds: those that were heard of last."""
Dialect = Literal["document", "code"]
"""`document`: handlers of rows get (action, new, old); `code`: (action, old, new)."""


class RestartRequested(BaseException):
    """The loop is to be entered anew, with a fresh context. Not an `Exception`: bots catch those."""


@dataclass(frozen=True)
class TestRun:
    """What a context says of the scenario that runs it.

    Attributes:
        happy_yaml: The scenario's file.
        providers: Accounts that the bot is to take as connected.
    """

    happy_yaml: str
    providers: tuple[str, ...] = ()


class RobotContext:
    """What one Persona's main loop works with."""

    def __init__(
        self,
        *,
        fclient: Any,
        persona: FPersonaOutput,
        workdir: Path,
        shutdown: Shutdown,
        parking: Parking,
        dialect: Dialect = "document",
        erp_tables: Collection[str] | None = None,
        test_run: TestRun | None = None,
        ask: effects.Ask | None = None,
        mongo_uri: str = "",
    ) -> None:
        """Prepare a context.

        Args:
            fclient: What the bot made to speak with the platform.
            persona: Whom the loop works for.
            workdir: Folder of the Persona's own.
            shutdown: Its end.
            parking: Where its events wait.
            dialect: Order of the rows that handlers of changes get.
            erp_tables: Names of all tables there are; None allows any.
            test_run: The scenario that runs the bot; None: it serves.
            ask: Answers what its handlers ask of the platform at once.
            mongo_uri: Address of the Persona's own MongoDB; empty: it has none.
        """
        self.fclient = fclient
        self.persona = persona
        self.latest_threads: dict[str, FThreadWithMessages] = {}
        self.latest_tasks: dict[str, FPersonaKanbanTaskOutput] = {}
        self.latest_schedules: dict[str, dict[str, str]] = {}
        """What comes by the clock, by name: {type, when, question, zone, next}."""
        self.workdir = str(workdir)
        self.external_auth: dict[str, Any] = {}
        self.messengers: list[Any] = []
        self.personal_mongo: Any = None
        self.mongo_uri = mongo_uri
        self.running_test_scenario = test_run is not None
        self.running_happy_yaml = test_run.happy_yaml if test_run else ""
        self.fake_connected_providers = list(test_run.providers if test_run else ())
        self.bg_call_tasks: set[asyncio.Task[None]] = set()
        self.created_ts = time.time()
        self._shutdown = shutdown
        self._parking = parking
        self._dialect = dialect
        self._erp_tables = erp_tables
        self._ask = ask
        self._on_message: Handler | None = None
        self._on_thread: Handler | None = None
        self._on_task: Handler | None = None
        self._on_call: dict[str, Handler] = {}
        self._handler_per_erp_table_change: dict[str, Handler] = {}
        self._on_emessage: dict[str, Handler] = {}
        self._restart = False
        self.takes_events = asyncio.Event()
        """Set by the first pass: handlers are registered by then."""

    # What a bot registers.

    def on_updated_message(self, handler: Handler) -> Handler:
        """Register the handler of new and changed messages: `(message)`."""
        self._on_message = asynchronous(handler)
        return handler

    def on_updated_thread(self, handler: Handler) -> Handler:
        """Register the handler of changed threads: `(thread)`."""
        self._on_thread = asynchronous(handler)
        return handler

    def on_updated_task(self, handler: Handler) -> Handler:
        """Register the handler of changed tasks: `(task)`, or `(action, old, new)`."""
        self._on_task = asynchronous(handler)
        return handler

    def on_tool_call(self, name: str) -> Callable[[Handler], Handler]:
        """Register the handler of a tool: `(toolcall, args)`."""

        def register(handler: Handler) -> Handler:
            self._on_call[name] = asynchronous(handler)
            return handler

        return register

    def on_erp_change(self, table: str) -> Callable[[Handler], Handler]:
        """Register the handler of a table's changed rows.

        Raises:
            ValueError: There is no such table.
        """
        if self._erp_tables is not None and table not in self._erp_tables:
            raise ValueError(f"there is no ERP table {table!r}; tables are {', '.join(sorted(self._erp_tables))}")

        def register(handler: Handler) -> Handler:
            self._handler_per_erp_table_change[table] = asynchronous(handler)
            return handler

        return register

    def on_emessage(self, messenger: str) -> Callable[[Handler], Handler]:
        """Register the handler of messages from outside, such as those of TELEGRAM."""

        def register(handler: Handler) -> Handler:
            self._on_emessage[messenger.upper()] = asynchronous(handler)
            return handler

        return register

    def handles(self, event: Parked) -> bool:
        """Tell whether a handler waits for such an event."""
        return self._handler(event) is not None

    @property
    def tools(self) -> frozenset[str]:
        """Names of the tools that have a handler."""
        return frozenset(self._on_call)

    # What a bot calls.

    async def unpark_collected_events(
        self, sleep_if_no_work: float, turn_tool_calls_into_bg_tasks: Collection[str] = frozenset()
    ) -> None:
        """Hand everything that has parked to its handlers, one after another; sleep if there was nothing.

        Args:
            sleep_if_no_work: Seconds to sleep at most when nothing had parked; an event or the end wakes it.
            turn_tool_calls_into_bg_tasks: Tools whose calls run beside the loop instead.

        Raises:
            RestartRequested: The Persona's setup changed and nothing is being worked on.
        """
        self.takes_events.set()
        parked = self._parking.take()
        try:
            for event in parked:
                if event.kind == "call" and event.name in turn_tool_calls_into_bg_tasks:
                    task = asyncio.create_task(self._handle(event))
                    self.bg_call_tasks.add(task)
                    task.add_done_callback(self.bg_call_tasks.discard)
                else:
                    await self._handle(event)
        except asyncio.CancelledError:
            for event in parked:
                if event.begun.done() or event.done.done():
                    continue
                event.done.set_exception(LoopEnded("the loop ended before the event was handled"))
            raise
        if parked:
            # The loop's other tasks and its end get their turn also while events keep coming.
            await asyncio.sleep(0)
            return
        if self._restart and not self.bg_call_tasks:
            raise RestartRequested
        if not self._shutdown.is_set():
            await self._parking.arrived(sleep_if_no_work)

    async def wait_for_bg_tasks(self, timeout: float) -> None:
        """Return when no call runs beside the loop, or after `timeout` seconds."""
        if self.bg_call_tasks:
            await asyncio.wait(self.bg_call_tasks, timeout=timeout)

    # What the platform calls, inside of the loop.

    def remember_thread(self, thread: FThreadOutput, messages: Iterable[FThreadMessageOutput]) -> None:
        """Have `latest_threads` show a thread as it is now, with these messages beside those that are known."""
        known = self.latest_threads.pop(thread.ft_id, None) or FThreadWithMessages(thread.ft_persona_id, thread)
        self.latest_threads[thread.ft_id] = known
        while len(self.latest_threads) > KEPT_THREADS:
            del self.latest_threads[next(iter(self.latest_threads))]
        known.thread_fields = thread
        known.thread_messages |= {message_key(message): message for message in messages}
        for key in sorted(known.thread_messages)[:-KEPT_MESSAGES]:
            del known.thread_messages[key]

    def request_restart(self) -> None:
        """Have the next idle pass end this loop, for a fresh context to take over."""
        self._restart = True
        self._parking.wake()

    async def _handle(self, event: Parked) -> None:
        """Hand one event to its handler; never raises but for cancelling."""
        if event.given_up:
            event.done.set_result(None)
            return
        if event.before is not None:
            event.before(self)
        caused = effects.Effects(event.key, by=self._author_of(event))
        event.context.run(effects.handling, caused)
        event.context.run(effects.asking, self._ask)
        event.context.run(enter, self)
        event.context.run(shutdowns.enter, self._shutdown)
        # A task of its own, because only a task can run in another context; it is awaited here, one at a time.
        running = asyncio.create_task(self._outcome(event), context=event.context)
        event.stop = stopping(running)
        if not event.begun.done():
            event.begun.set_result(None)
        try:
            outcome = await running
        except asyncio.CancelledError:
            if event.given_up and running.cancelled():
                event.done.set_result(None)
                return
            event.done.set_exception(LoopEnded("the loop ended while the event was handled"))
            raise
        if outcome is None:
            event.done.set_result(caused.actions)
        else:
            outcome.actions = caused.actions
            event.done.set_result(outcome)

    def _author_of(self, event: Parked) -> dict[str, str]:
        """Return who causes what the handler of an event causes."""
        thread = event.args[0].fcall_ft_id if event.kind == "call" else ""
        return {"persona": self.persona.persona_id} | ({"thread": thread} if thread else {})

    async def _outcome(self, event: Parked) -> CallOutcome | None:
        handler = self._handler(event)
        if event.kind == "call":
            return await run_call(handler, *event.args)
        await self._run(handler, event)
        return None

    async def _run(self, handler: Handler | None, event: Parked) -> None:
        if handler is None:
            return
        try:
            await handler(*self._arguments(handler, event))
        except (Exception, SystemExit, KeyboardInterrupt):
            log.exception("the handler of a %s failed; the bot goes on", event.kind)

    def _arguments(self, handler: Handler, event: Parked) -> tuple[Any, ...]:
        if event.kind == "task":
            _, _, new = event.args
            return event.args if positional(handler) >= 3 else (new,)
        if event.kind == "erp" and self._dialect == "document":
            action, old, new = event.args
            return action, new, old
        return event.args

    def _handler(self, event: Parked) -> Handler | None:
        if event.kind == "call":
            return self._on_call.get(event.name)
        if event.kind == "erp":
            return self._handler_per_erp_table_change.get(event.name)
        if event.kind == "emessage":
            return self._on_emessage.get(event.name.upper())
        return {"message": self._on_message, "thread": self._on_thread, "task": self._on_task}[event.kind]


_current: contextvars.ContextVar[RobotContext | None] = contextvars.ContextVar("botyard_loop_context", default=None)


def enter(context: RobotContext) -> None:
    """Make `context` the one of the code that runs in this context from now on."""
    _current.set(context)


def current() -> RobotContext:
    """Return the context of the Persona whose loop or handler asks.

    Raises:
        RuntimeError: The code runs in no Persona's loop.
    """
    if (context := _current.get()) is None:
        raise RuntimeError("only code of a Persona's loop can do this")
    return context
