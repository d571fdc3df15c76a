"""A worker: one process that imports a bundle and runs its turns, and nothing else.

It holds no platform credential and no connection but the one to its supervisor. It may be killed at any line.
"""

import asyncio
import contextlib
import itertools
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botyard import steps
from botyard.contract.bot import Entrypoint
from botyard.model import ModelCallError
from botyard.program import Output, Program, ResidentialProgram, TurnError, TurnOutcome, TurnRequest
from botyard.runtime import attribution, frames, logs, memory, programs
from botyard.runtime.step_journal import Steps
from botyard.runtime.worker_residents import WorkerResidents

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the others from running. Beside a turn that computes for ever, each step of the others
waits so long; with Python's own 5 ms they are ten times slower."""


class SupervisorError(Exception):
    """The supervisor refused what a turn asked of it.

    Attributes:
        code: Of a refused model call; empty for anything else.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class WorkerIO:
    """What one turn may ask of the platform (see `botyard.program.TurnIO`)."""

    def __init__(self, worker: "Worker", turn: str, event: str, journal: dict[str, bytes]) -> None:
        self._worker = worker
        self._turn = turn
        self.steps = Steps(event, journal, self._keep, self._may)

    async def emit(self, output: Output) -> None:
        """Send an output before the commit."""
        await self._worker.send({"t": "output", "turn": self._turn, "output": output.model_dump(by_alias=True)})

    async def register_reference(self, reference: str) -> None:
        """Bind `reference` to this turn's session."""
        await self._worker.call(self._turn, "reference.register", {"reference": reference})

    async def read_records(
        self,
        names: Sequence[str] = (),
        *,
        prefix: str = "",
        after: str = "",
        limit: int = 100,
        newest_first: bool = False,
        key: str = "",
    ) -> dict[str, Any]:
        """Return lasting records of the turn's key, or of one that shares its affinity."""
        args = {"names": list(names), "prefix": prefix, "after": after, "limit": limit}
        found = await self._worker.call(self._turn, "records.read", {**args, "newest_first": newest_first, "key": key})
        return dict(found)

    async def collections(self) -> dict[str, int]:
        """Return the bot's collections of uploaded documents."""
        return dict(await self._worker.call(self._turn, "knowledge.collections", {}))

    async def read_documents(self, collection: str, *, after: str = "") -> dict[str, Any]:
        """Return a page of uploaded documents."""
        return dict(await self._worker.call(self._turn, "knowledge.read", {"collection": collection, "after": after}))

    async def read_vectors(self, space: str, names: Sequence[str]) -> dict[str, bytes]:
        """Return kept embeddings."""
        return dict(await self._worker.call(self._turn, "knowledge.vectors", {"space": space, "names": list(names)}))

    async def keep_vectors(self, space: str, vectors: Mapping[str, bytes]) -> None:
        """Keep embeddings."""
        await self._worker.call(self._turn, "knowledge.keep_vectors", {"space": space, "vectors": dict(vectors)})

    async def step(self, name: str, request: Any, run: Callable[[str], Awaitable[Any]]) -> Any:
        """Return the journaled result of this step, or run and journal it."""
        return await self.steps.take(name, request, run)

    async def model(
        self, kind: str, body: dict[str, Any], role: str, on_event: Callable[[dict[str, Any]], None] | None
    ) -> dict[str, Any]:
        """Ask the Bot's model."""
        args = {"kind": kind, "body": body, "role": role, "stream": on_event is not None}
        try:
            answer: dict[str, Any] = await self._worker.call(self._turn, "model", args, on_event)
        except SupervisorError as error:
            raise ModelCallError(str(error), error.code or "error") from error
        return answer

    async def admit_user(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Count the turn in quotas of its user."""
        return dict(await self._worker.call(self._turn, "user.admit", dict(asked)))

    async def database(self, do: str, args: Mapping[str, Any], key: str) -> Any:
        """Have the supervisor read or write rows."""
        return await self._worker.call(self._turn, f"erp.{do}", {"args": dict(args), "key": key})

    async def record_usage(self, event: bytes) -> None:
        """Have the supervisor keep what the turn used of a service."""
        await self._worker.call(self._turn, "usage.record", {"event": event})

    async def _may(self) -> float:
        return float(await self._worker.call(self._turn, "step.begin", {}))

    async def _keep(self, ordinal: str, record: bytes) -> bytes:
        return bytes(await self._worker.call(self._turn, "step.put", {"ordinal": ordinal, "record": record}))


class Worker:
    """Runs turns for one supervisor until the connection ends."""

    def __init__(self, channel: frames.Channel, name: str) -> None:
        self._channel = channel
        self._name = name
        self._program: Program | None = None
        self._residents: WorkerResidents | None = None
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._listeners: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._call_ids = itertools.count(1)

    async def send(self, message: frames.Message) -> None:
        """Send one frame to the supervisor."""
        await self._channel.send(message)

    async def call(
        self,
        turn: str,
        method: str,
        args: dict[str, Any],
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> Any:
        """Ask the supervisor and return its answer; parts that come before it go to `on_event`.

        Raises:
            SupervisorError: It refused.
        """
        number = next(self._call_ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[number] = answer
        if on_event is not None:
            self._listeners[number] = on_event
        try:
            await self.send({"t": "call", "turn": turn, "id": number, "method": method, "args": args})
            return await answer
        except asyncio.CancelledError:
            with contextlib.suppress(ConnectionError):
                await self.send({"t": "drop", "turn": turn, "id": number})
            raise
        finally:
            del self._calls[number]
            self._listeners.pop(number, None)

    async def run(self) -> None:
        """Serve until the supervisor closes the connection."""
        await self.send({"t": "worker", "worker": self._name, "pid": os.getpid()})
        while (message := await self._channel.receive()) is not None:
            kind = message["t"]
            if kind == "load":
                await self._load(message)
            elif kind == "run":
                self._start(message)
            elif kind == "answer":
                self._answer(message)
            elif kind == "ping":
                await self.send({"t": "pong"})
            elif kind == "piece":
                self._piece(message)
            elif kind == "resident" and self._residents is not None:
                self._residents.take(message)
            elif kind == "cancel" and (task := self._turns.get(message["turn"])):
                task.cancel()

    async def _load(self, message: frames.Message) -> None:
        loop = asyncio.get_running_loop()
        # One thread for each turn that may run at once, so that blocking code holds up nobody else's turn.
        loop.set_default_executor(ThreadPoolExecutor(message["concurrency"], thread_name_prefix="turn"))
        bundle = Path(message["bundle"])
        if (access := message["model"])["url"]:
            _lead_clients(access["url"], access["token"])
        sys.path.insert(0, str(bundle))
        os.chdir(bundle)
        try:
            # In a thread: an import may block for ever, and the supervisor must be able to say so.
            model, self._program = await asyncio.to_thread(
                programs.load,
                bundle,
                Entrypoint.model_validate(message["entrypoint"]),
                credentials=message["credentials"],
                config=message["config"],
                namespace=message["namespace"],
            )
        except (Exception, SystemExit) as error:
            failure = describe(error, bundle)
            await self.send({"t": "load_failed", **failure.model_dump()})
            return
        assert self._program is not None
        programs.serve_alone(self._program)
        memory.settle()
        if isinstance(self._program, ResidentialProgram):
            self._residents = WorkerResidents(self._program, self.send, self.call)
        await self.send({"t": "loaded", "model": model, "residential": self._residents is not None})

    def _start(self, message: frames.Message) -> None:
        turn = message["turn"]
        task = asyncio.create_task(self._run_turn(turn, message), name=turn)
        self._turns[turn] = task
        task.add_done_callback(lambda _: self._turns.pop(turn, None))

    async def _run_turn(self, turn: str, message: frames.Message) -> None:
        request = TurnRequest.model_validate(message["request"])
        logs.turn_fields.set({"conversation": request.key, "turn": turn})
        assert self._program is not None
        io = WorkerIO(self, turn, request.event, message["journal"])
        steps.bind(io)
        attribution.run.set(request.run)
        try:
            outcome = await self._program.run_turn(request, io)
            if outcome.error is None and (deviation := io.steps.deviation()):
                outcome = TurnOutcome(error=describe(deviation, Path.cwd()))
        except asyncio.CancelledError:
            outcome = TurnOutcome(error=TurnError(kind="TurnCancelled", message="The turn was cancelled."))
        except Exception as error:
            outcome = TurnOutcome(error=describe(error, Path.cwd()))
        try:
            await self.send({"t": "done", "turn": turn, "outcome": outcome.model_dump(by_alias=True)})
        except (TypeError, ValueError, OverflowError) as error:
            failed = TurnOutcome(error=TurnError(kind="ResultNotSerializable", message=str(error)))
            await self.send({"t": "done", "turn": turn, "outcome": failed.model_dump(by_alias=True)})

    def _answer(self, message: frames.Message) -> None:
        future = self._calls.get(message["id"])
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(SupervisorError(message["error"], message.get("code") or ""))
        else:
            future.set_result(message["result"])

    def _piece(self, message: frames.Message) -> None:
        listener, future = self._listeners.get(message["id"]), self._calls.get(message["id"])
        if listener is None or future is None or future.done():
            return
        try:
            for event in message["events"]:
                listener(event)
        except Exception as error:
            # The bundle's own mistake, told where it waits.
            future.set_exception(error)


def _lead_clients(url: str, token: str) -> None:
    """Have clients of the OpenAI protocol that get no address and key from the bundle ask the metered endpoint."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        os.environ[name] = url
    os.environ["OPENAI_API_KEY"] = token
    attribution.install(url)


def describe(error: BaseException, bundle: Path) -> TurnError:
    """Return what a person needs to know of an exception: class, message and the bundle's innermost line."""
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(bundle):
            where = f"{path.relative_to(bundle)}:{frame.lineno} in {frame.name}"
    if isinstance(error, SyntaxError) and error.filename:
        path = Path(error.filename)
        where = f"{path.relative_to(bundle) if path.is_relative_to(bundle) else path.name}:{error.lineno}"
    return TurnError(kind=type(error).__name__, message=str(error), where=where)


async def _main(socket_path: str, name: str) -> None:
    channel = await frames.connect(socket_path)
    with contextlib.suppress(ConnectionError):
        await Worker(channel, name).run()


def main() -> None:
    """Run a worker: `python -m botyard.runtime.worker SOCKET NAME`."""
    raw = sys.stdout
    sys.stdout = logs.LineStream(raw, "stdout")
    sys.stderr = logs.LineStream(raw, "stderr")
    logs.configure(stream=raw)
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
    # Threads of the bundle may never end; nothing of this process is worth waiting for.
    with contextlib.suppress(OSError):  # Its host may be gone.
        raw.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
