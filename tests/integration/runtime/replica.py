"""Real replicas of a bot for tests: supervisor, worker host and workers as processes, as in a pod."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from redis.asyncio import Redis

from botyard.contract.bot import BotConfig, Entrypoint, Limits, Ramp
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig, PersonaShard
from botyard.contract.spending import BotBudget, UserQuotas
from botyard.core.address import BotAddress
from botyard.core.conversations import Conversation, Conversations
from botyard.core.inbox import Accepted, Inbox
from botyard.core.outputs import Outputs

HEADER = """
from botyard.fsm import AbstractFSM, FSMOutput, MessageData, MessageType, Status


def text(body):
    return FSMOutput(message_data=MessageData(body=body), type=MessageType.TEXT, dest="out")


"""

ECHO = """
class Echo(AbstractFSM):
    states = ["zero", "listen", "answer"]
    transitions = [
        {"source": "zero", "dest": "listen", "trigger": "next"},
        {"source": "listen", "dest": "answer", "trigger": "next"},
        {"source": "answer", "dest": "listen", "trigger": "next"},
    ]
    conditions = set()
    output_variables = set()

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)

    def on_enter_listen(self):
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_answer(self):
        self.status = Status.WAIT_FOR_ME
        said = self.current_input
        self.variables["count"] = self.variables.get("count", 0) + 1
        self.act(said)
        self.send_message(text(f"{self.variables['count']}: {said}"))
        self.status = Status.MOVE_FORWARD

    def act(self, said):
        {act}
"""
"""Answers each message with its number and text; `act` is what a test adds."""


def echo(act: str = "pass") -> str:
    """Return the echo bot with `act` (Python statements, `said` is the message) run in each turn."""
    body = textwrap.indent(textwrap.dedent(act).strip(), " " * 8).strip()
    return HEADER + ECHO.replace("{act}", body)


@dataclass
class Bot:
    """One bot with a folder for its files, on a real Redis."""

    redis: Redis
    redis_url: str
    folder: Path
    code: str = field(default_factory=echo)
    limits: Limits = field(default_factory=Limits)
    credentials: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    """Free-form properties of the Bot."""
    personas: tuple[PersonaConfig, ...] = ()
    model: ModelConfig | None = None
    budget: BotBudget = field(default_factory=BotBudget)
    quotas: UserQuotas = field(default_factory=UserQuotas)
    files: dict[str, str] = field(default_factory=dict)
    """What else is mounted, by path: model scripts, prices, keys."""
    address: BotAddress = field(default_factory=lambda: BotAddress("shop", "echo", 8))
    lease_ms: int = 2000
    revision: str = ""
    """Of the bundle; empty: it has none."""
    former: str = ""
    """The revision that the replicas drain, in the folder `former`; empty: none."""
    ramp: Ramp | None = None
    """How far the newest revision has got beside the former one."""
    programming_model: Literal["fsm", "loop", "workflow"] = "fsm"
    first: str = ""
    """Code that supervisors run before anything else; a test changes what it has to."""
    skew: str = ""
    """By how much the clocks of its replicas are wrong, as libfaketime takes it, for example `+2d`."""
    cgroup: Path | None = None
    """Control group of version 1 or 2 that the workers' container is in."""
    replicas: "list[Replica]" = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.inbox, self.outputs = Inbox(self.redis), Outputs(self.redis)
        self.write()

    def write(self) -> None:
        """Write everything that the operator would mount."""
        config = BotConfig(
            namespace=self.address.namespace,
            name=self.address.name,
            partitions=self.address.partitions,
            entrypoint=Entrypoint(model=self.programming_model),
            limits=self.limits,
            config=self.config,
            model=self.model,
            budget=self.budget,
            quotas=self.quotas,
            ramp=self.ramp,
        )
        self._put("config/bot.json", config.to_json())
        self._put("personas/0/personas.json", PersonaShard(personas=self.personas).to_json())
        self._put("platform/redis-url", self.redis_url)
        self._put("bundle/bot.py", self.code)
        for path, content in self.files.items():
            self._put(path, content)
        (self.folder / "credentials").mkdir(exist_ok=True)
        for name, value in self.credentials.items():
            self._put(f"credentials/{name}", value)

    def _put(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.read_text() == text:
            # What is the same is not touched, so that one edit is one reload.
            return
        fresh = target.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(target)

    async def start(self, count: int = 1) -> "list[Replica]":
        """Start replicas and return when all are ready."""
        fresh = [Replica(self, f"pod-{next(self.ids)}") for _ in range(count)]
        self.replicas += fresh
        for replica in fresh:
            replica.start()
        for replica in fresh:
            await replica.ready()
        return fresh

    async def say(self, text: str, conversation: str = "c1", **payload: Any) -> Accepted:
        return await self.inbox.accept(
            self.address, key=conversation, kind="message", payload={"text": text, **payload}, user="ada"
        )

    async def heard(self, conversation: str = "c1") -> list[dict[str, Any]]:
        """Everything that the conversation said until now."""
        found: list[dict[str, Any]] = []
        after = ""
        while page := await self.outputs.read(self.address, conversation, after=after):
            found += [json.loads(stored.envelope) for stored in page]
            after = page[-1].id
        return found

    async def texts(self, conversation: str = "c1") -> list[str]:
        """The texts of the bot's messages."""
        return [
            envelope["data"]["text"] for envelope in await self.heard(conversation) if envelope["type"] == "bot.message"
        ]

    async def finished(self, turns: int, conversation: str = "c1", timeout: float = 90.0) -> Conversation:
        """Return the conversation once so many turns of it are finished."""
        conversations = Conversations(self.redis)
        async with asyncio.timeout(timeout):
            while True:
                found = await conversations.describe(self.address, conversation, turns=100_000)
                if found and sum(turn["state"] != "open" for turn in found.turns) >= turns:
                    return found
                await asyncio.sleep(0.01)

    def stop(self) -> None:
        for replica in self.replicas:
            replica.kill()


def wrong_clock(skew: str) -> dict[str, str]:
    """Return the environment of a process whose clock is wrong by `skew`."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.fail("faketime is not installed; `make test` installs it (apt-get install faketime)")
    # What has passed is still measured rightly, as by a machine whose clock was set wrongly.
    return {"LD_PRELOAD": str(library), "FAKETIME": skew, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


class Replica:
    """One pod: a supervisor and a worker host."""

    def __init__(self, bot: Bot, name: str) -> None:
        self.bot = bot
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="by-pod-"))
        self.log = self.folder / "log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._former: subprocess.Popen[bytes] | None = None
        """Worker host of the revision that is drained."""

    def start(self) -> None:
        mounts = self.bot.folder
        port_file = self.folder / "port"
        self._spawn(
            "botyard.runtime.main:run_supervisor",
            f"--config={mounts}/config", f"--personas={mounts}/personas", f"--credentials={mounts}/credentials",
            f"--persona-secrets={mounts}/persona-secrets", f"--model-keys={mounts}/model",
            f"--platform={mounts}/platform", f"--bundle={mounts}/bundle", f"--socket={self.folder}/worker.sock",
            f"--draining-socket={self.folder}/former.sock", f"--draining-bundle={mounts}/former",
            "--health-port=0", f"--port-file={port_file}", f"--lease-ms={self.bot.lease_ms}",
        )  # fmt: skip
        self.start_host()
        if self.bot.former:
            self._spawn("botyard.runtime.worker_host:run", f"--socket={self.folder}/former.sock")
            self._former = self._processes.pop()

    def start_host(self) -> None:
        """Start the container of workers, as the kubelet does, also again where it ended."""
        del self._processes[1:]
        options = [f"--socket={self.folder}/worker.sock"]
        if self.bot.cgroup is not None:
            options.append(f"--cgroup={self.bot.cgroup}")
        self._spawn("botyard.runtime.worker_host:run", *options)
        if self.bot.cgroup is not None:
            # Before it has anything to start.
            (self.bot.cgroup / "cgroup.procs").write_text(str(self.host.pid))

    def _spawn(self, function: str, *argv: str) -> None:
        module, name = function.split(":")
        code = f"import sys; from {module} import {name}; sys.exit({name}(sys.argv[1:]))"
        if name == "run_supervisor":
            code = f"{self.bot.first}\n{code}"
        environment = {**os.environ, "BOTYARD_REPLICA": self.name, "BOTYARD_REVISION": self.bot.revision}
        environment["BOTYARD_DRAINING_REVISION"] = self.bot.former
        if self.bot.skew:
            environment |= wrong_clock(self.bot.skew)
        process = subprocess.Popen(
            [sys.executable, "-c", code, *argv],
            stdout=self.log.open("ab"), stderr=subprocess.STDOUT, env=environment, start_new_session=True,
        )  # fmt: skip
        self._processes.append(process)

    @property
    def supervisor(self) -> subprocess.Popen[bytes]:
        return self._processes[0]

    @property
    def host(self) -> subprocess.Popen[bytes]:
        return self._processes[1]

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        children = Path(f"/proc/{self.host.pid}/task/{self.host.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a probe."""
        port = (self.folder / "port").read_text()
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except URLError as error:
            if (status := getattr(error, "code", 0)) == 0:
                raise
            return status, error.read().decode()  # type: ignore[attr-defined]

    async def ready(self, timeout: float = 90.0) -> None:
        await self.until(lambda: self.get("/readyz")[0] == 200, timeout)

    async def until(self, check: Callable[[], bool], timeout: float = 90.0) -> None:
        """Wait until `check` holds, or fail with this replica's log."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    with contextlib.suppress(OSError, ValueError):
                        if check():
                            return
                    if self.supervisor.poll() is not None:
                        break
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        pytest.fail(f"{self.name} did not get there:\n{self.log.read_text()[-4000:]}")

    def pause(self) -> None:
        self.supervisor.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.supervisor.send_signal(signal.SIGCONT)

    def _containers(self) -> list[subprocess.Popen[bytes]]:
        return [*self._processes, *([self._former] if self._former is not None else [])]

    async def drain(self, timeout: float = 150.0) -> int:
        """End the pod as a rollout does; return the supervisor's exit code."""
        for process in self._containers():
            process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.supervisor.wait, timeout)

    def kill(self) -> None:
        """End the pod as a power cut does."""
        workers = []
        with contextlib.suppress(OSError):
            workers = self.workers()
        for process in self._containers():
            if process.poll() is None:
                process.kill()
            process.wait()
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
