"""One Persona's loop: a thread with an event loop of its own, in which the bundle's main loop runs.

A thread for each Persona, so that a bot that blocks, raises or exits harms its own Persona only. A main loop that
ends is entered again after a pause that grows up to a cap; how it fares is told whenever it changes.
"""

import asyncio
import contextlib
import logging
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botyard.loop import context as contexts
from botyard.loop import effects
from botyard.loop import shutdown as shutdowns
from botyard.loop.context import RestartRequested, RobotContext, TestRun
from botyard.loop.declaration import BotDeclaration
from botyard.loop.effects import Ask, Post
from botyard.loop.erp_schema import known_tables
from botyard.loop.loop_health import LoopHealth
from botyard.loop.parking import Parked, Parking
from botyard.loop.personas import FPersonaOutput
from botyard.loop.shutdown import Shutdown

log = logging.getLogger("botyard.loop")

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds before a main loop that ended is entered again: doubled each time, up to the longest."""
STEADY_AFTER = 120.0
"""Seconds after which a loop that then ends begins with the first pause again."""
RESTART_GRACE = 30.0
"""Seconds that a loop gets to notice that its setup changed; then it is cancelled."""

TAKES_EVENTS_WITHIN = 30.0
"""Seconds that a main loop gets to register its handlers before events are held against what it has."""


class BotExited(Exception):
    """The bundle's code asked the whole process to end."""


STOPS_WITHIN = 5.0
"""Seconds that a handler gets to stop before the thread goes on without it."""


class PersonaLoop:
    """The main loop of one Persona."""

    def __init__(
        self,
        bot: BotDeclaration,
        persona: FPersonaOutput,
        *,
        workdir: Path,
        told: Callable[[LoopHealth], None],
        post: Post,
        ask: Ask | None = None,
        mongo_uri: str = "",
        first_pause: float = FIRST_PAUSE,
        steady_after: float = STEADY_AFTER,
        test_run: TestRun | None = None,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            bot: What the bundle declares.
            persona: Whom it works for.
            workdir: Folder of the Persona's own; made if it is not there.
            told: Hears how the loop fares, from its thread.
            post: Accepts what the loop causes between events; called in its thread's event loop.
            ask: Answers what its code asks of the platform; called there too.
            mongo_uri: Address of the Persona's own MongoDB; empty: it has none.
            first_pause: Seconds before the first new try.
            steady_after: Seconds after which a loop that failed counts as well again.
            test_run: The scenario that runs the bot; None: it serves.
        """
        self._bot = bot
        self._persona = persona
        self._workdir = workdir
        self._told = told
        self._post = post
        self._ask = ask
        self._mongo_uri = mongo_uri
        self._first_pause = first_pause
        self._test_run = test_run
        self._steady_after = steady_after
        self._failed = LoopHealth()
        """The last end that nobody asked for; none where it has run steadily since."""
        self._parking = Parking()
        self._shutdown = Shutdown()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._context: RobotContext | None = None
        self._entered = threading.Event()
        self._delivering = asyncio.Lock()
        self._thread = threading.Thread(target=self._run, name=f"persona {persona.persona_id}", daemon=True)

    @property
    def context(self) -> RobotContext | None:
        """The context in use; None before the loop was entered."""
        return self._context

    @property
    def persona(self) -> FPersonaOutput:
        """Whom it works for."""
        return self._persona

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._workdir.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    async def deliver(self, event: Parked, *, seconds: float | None = None) -> Any:
        """Park `event` and return what handling it brought. To be called from another thread's event loop.

        Args:
            event: What to hand over.
            seconds: Its handler may take from when it begins; then it is stopped, and None is returned. None: without
                a limit. It is stopped, too, when whoever delivers is cancelled.

        An event that no handler waits for brings None at once: bots that never look at events exist.

        Raises:
            LoopEnded: The loop ended before it took the event.
        """
        context = await self._taking()
        if context is not None and event.kind != "call" and not context.handles(event):
            return None
        self._parking.park(event)
        handled = asyncio.wrap_future(event.done)
        try:
            if seconds is not None:
                begun = asyncio.wrap_future(event.begun)
                await asyncio.wait((handled, begun), return_when=asyncio.FIRST_COMPLETED)
                done, _ = await asyncio.wait((handled,), timeout=seconds)
                if not done:
                    event.give_up()
                    await asyncio.wait((handled,), timeout=STOPS_WITHIN)
                    # What a handler returns that was asked to stop is no answer any more.
                    return None
            return await handled
        except asyncio.CancelledError:
            event.give_up()
            raise

    async def deliver_all(self, events: Sequence[Parked]) -> list[Any]:
        """Park events together and return what handling each of them brought; see `deliver`.

        Raises:
            LoopEnded: The loop ended before it took all of them.
        """
        context = await self._taking()
        wanted = [event for event in events if context is None or context.handles(event)]
        for event in wanted:
            self._parking.park(event)
        try:
            if wanted:
                # The loop takes them in this order: when the last one has ended, all have.
                await asyncio.wrap_future(wanted[-1].done)
            return [event.done.result() for event in wanted]
        except BaseException:
            for event in wanted:
                event.give_up()
            raise

    async def in_loop(self, change: Callable[[RobotContext], None]) -> None:
        """Run `change` inside of the loop, between two pieces of its code. Nothing happens if there is no loop now."""
        loop, context = self._loop, self._context
        if loop is None or context is None or loop.is_closed():
            return
        done = asyncio.get_running_loop().create_future()
        here = asyncio.get_running_loop()

        def run() -> None:
            change(context)
            here.call_soon_threadsafe(_resolve, done)

        loop.call_soon_threadsafe(run)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RESTART_GRACE):
                await done

    async def update(self, persona: FPersonaOutput, *, mongo_uri: str = "") -> None:
        """Use a changed Persona: a changed setup gives the main loop a fresh context, as soon as it is idle."""
        changed = (persona.persona_setup, mongo_uri) != (self._persona.persona_setup, self._mongo_uri)
        self._mongo_uri = mongo_uri
        self._persona = persona
        loop, task, context = self._loop, self._task, self._context
        if loop is None or context is None or loop.is_closed():
            return
        if not changed:
            loop.call_soon_threadsafe(setattr, context, "persona", persona)
            return
        loop.call_soon_threadsafe(context.request_restart)
        loop.call_soon_threadsafe(loop.call_later, RESTART_GRACE, self._force_restart, task, context)

    def _force_restart(self, task: asyncio.Task[None] | None, context: RobotContext) -> None:
        if task is not None and not task.done() and self._context is context:
            log.warning("the bot did not notice its changed setup within %g s; its loop is cancelled", RESTART_GRACE)
            task.cancel()

    def stop(self) -> None:
        """Ask the loop to end; `join` waits for it."""
        self._shutdown.set()
        self._parking.wake()

    def join(self, timeout: float) -> bool:
        """Return whether the loop ended after `stop`; one that did not within `timeout` seconds is cancelled."""
        self._thread.join(timeout)
        loop, task = self._loop, self._task
        if self._thread.is_alive() and loop is not None and task is not None and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)
            self._thread.join(min(timeout, 3.0))
        self._parking.close("the Persona's loop has ended")
        return not self._thread.is_alive()

    async def _taking(self) -> RobotContext | None:
        """Return the context once the bot takes events; what it does first must not make a call look unhandled."""
        # One after another, so that events are parked in the order in which they were delivered.
        async with self._delivering:
            if not self._entered.is_set():
                await asyncio.to_thread(self._entered.wait, TAKES_EVENTS_WITHIN)
            return self._context

    def _run(self) -> None:
        shutdowns.enter(self._shutdown)
        effects.posting(self._post)
        effects.asking(self._ask)
        try:
            asyncio.run(self._main())
        except BaseException as error:  # SystemExit in a bot ends its Persona's loop, not the process
            log.error("the Persona's loop ended", exc_info=error)
        finally:
            self._parking.close("the Persona's loop has ended")
            self._told(LoopHealth("ended"))

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parking.attach(self._loop)
        pause, fresh = self._first_pause, True
        while not self._shutdown.is_set():
            if fresh:
                self._context = _with_what_is_known(self._new_context(), self._context)
            assert self._context is not None
            context, began = self._context, self._loop.time()
            watching = asyncio.create_task(self._announce(context))
            self._task = asyncio.create_task(self._enter(context))
            try:
                await self._task
                reason = "the main loop returned"
            except RestartRequested:
                fresh = True
                continue
            except asyncio.CancelledError:
                if self._shutdown.is_set():
                    return
                # A loop that did not notice its changed setup.
                fresh = True
                continue
            except Exception as error:
                reason = str(error) if isinstance(error, BotExited) else f"{type(error).__name__}: {error}"
                log.error("the Persona's main loop failed", exc_info=error)
            finally:
                watching.cancel()
            if self._shutdown.is_set():
                return
            if self._loop.time() - began >= self._steady_after:
                pause = self._first_pause
                self._failed = LoopHealth()
            fresh = False
            self._failed = LoopHealth("failing", self._failed.failures + 1, reason[:1000])
            self._told(self._failed)
            if await self._shutdown.wait(pause * random.uniform(0.7, 1.0)):  # noqa: S311
                return
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _enter(self, context: RobotContext) -> None:
        contexts.enter(context)
        try:
            await self._bot.main_loop(self._bot.client, context)
        except (SystemExit, KeyboardInterrupt) as error:
            # These would end the event loop itself, with everything that is to be told at the end.
            raise BotExited(f"{type(error).__name__}: {error}") from error

    async def _announce(self, context: RobotContext) -> None:
        """Tell that the loop runs once it takes events, or plainly never does: bots of their own rhythm exist."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAKES_EVENTS_WITHIN):
                await context.takes_events.wait()
        self._entered.set()
        unhandled = tuple(sorted({tool.name for tool in self._bot.tools} - context.tools))
        if unhandled:
            log.warning("no handler: the model is offered %s, and is told so when it calls", ", ".join(unhandled))
        if self._failed.failures:
            # Whether it is well again, only time tells.
            self._told(LoopHealth("running", self._failed.failures, self._failed.message, unhandled))
            await asyncio.sleep(self._steady_after)
            self._failed = LoopHealth()
        self._told(LoopHealth("running", unhandled=unhandled))

    def _new_context(self) -> RobotContext:
        return RobotContext(
            fclient=self._bot.client,
            persona=self._persona,
            workdir=self._workdir,
            shutdown=self._shutdown,
            parking=self._parking,
            dialect=self._bot.dialect,
            erp_tables={*known_tables(), *self._bot.erp_tables},
            test_run=self._test_run,
            ask=self._ask,
            mongo_uri=self._mongo_uri,
        )


def _with_what_is_known(fresh: RobotContext, before: RobotContext | None) -> RobotContext:
    """Return a fresh context that knows the threads, tasks and schedules that the one before knew."""
    if before is not None:
        fresh.latest_threads, fresh.latest_tasks = before.latest_threads, before.latest_tasks
        fresh.latest_schedules = before.latest_schedules
    return fresh


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
