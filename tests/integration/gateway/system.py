"""What the gateway's tests run: the gateway itself, callers with tokens, a bot that answers by hand."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from redis.asyncio import Redis

from botyard.contract.routes import Route, Routes
from botyard.core import codec, keys
from botyard.core.address import BotAddress
from botyard.core.envelope import TurnIdentity, envelope
from botyard.core.inbox import Entry, parse_entry
from botyard.core.leases import Leases
from botyard.core.retention import Retention
from botyard.core.turns import Commit, Turns
from botyard.gateway.authentication import StaticTokens
from botyard.gateway.authorization import Grants
from botyard.gateway.context import Gateway, StreamLimits
from botyard.gateway.problems import TYPE_BASE
from botyard.gateway.routes import RoutingTable
from botyard.gateway.server import GatewayServer, ServerSettings

ECHO = BotAddress("shop", "echo", 4)
BASE = "/v1/namespaces/shop/bots/echo"
ROUTES = Routes(
    routes=(
        Route(
            namespace="shop",
            name="echo",
            model="fsm",
            ready=True,
            partitions=4,
            max_input_bytes=10_000,
            personas=("nora",),
        ),
        Route(namespace="shop", name="asleep", reason="Building", message="Bundle shop/asleep: no tests", partitions=4),
        Route(namespace="bank", name="vault", ready=True, default=True, partitions=4),
    )
)
USERS: Mapping[str, Mapping[str, Any]] = {
    "ann": {"permissions": [{"namespace": "shop"}]},
    "ben": {"permissions": [{"namespace": "shop", "bots": ["echo"]}]},
    "gold": {"groups": ["gold"], "permissions": [{"namespace": "shop"}]},
    "channel": {"permissions": [{"namespace": "shop", "verbs": ["use", "actas"]}]},
    "keeper": {"permissions": [{"namespace": "shop", "verbs": ["operate"]}]},
    "boss": {"permissions": [{"namespace": "shop", "verbs": ["*"]}, {"namespace": "bank"}]},
    "late": {"permissions": [{"namespace": "*"}], "expires": "2020-01-01T00:00:00Z"},
    "stranger": {"permissions": []},
}


def bearer(user: str) -> dict[str, str]:
    """Return the header of a user of `USERS`."""
    return {"Authorization": f"Bearer token-of-{user}"}


def write_tokens(path: Path, users: Mapping[str, Mapping[str, Any]] = USERS) -> Path:
    """Write the token file."""
    tokens = [
        {"sha256": hashlib.sha256(f"token-of-{name}".encode()).hexdigest(), "subject": name, **rest}
        for name, rest in users.items()
    ]
    path.write_text(yaml.safe_dump({"tokens": tokens}))
    return path


@dataclass
class System:
    """A running gateway."""

    redis: Redis
    gateway: Gateway
    server: GatewayServer
    serving: "asyncio.Task[None]"
    url: str
    http: httpx.AsyncClient
    emissions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", self.server.port

    async def post(self, text: str = "hello", *, user: str = "ann", **fields: Any) -> dict[str, Any]:
        """Send a message that must be accepted."""
        answer = await self.http.post(f"{BASE}/messages", json={"text": text, **fields}, headers=bearer(user))
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def waiting(self) -> list[Entry]:
        """Return the events that wait for the bot, partition by partition."""
        found = []
        for partition in ECHO.all_partitions():
            entries: Any = await self.redis.xrange(keys.inbox(partition))
            found += [parse_entry(partition, *entry) for entry in entries]
        return found

    async def answer(self, *outputs: tuple[str, dict[str, Any]]) -> None:
        """Commit a turn with these outputs for every event that waits."""
        for entry in await self.waiting():
            lease = await Leases(self.redis, owner="bot").acquire(entry.partition)
            assert lease is not None
            turns = Turns(self.redis)
            begun = await turns.begin(lease, entry)
            identity = TurnIdentity(ECHO, entry.key, entry.turn, entry.event, entry.user, begun.attempt)
            said = [
                envelope(identity, now=time.time(), type=kind, step="test", status="completed", data=data)
                for kind, data in outputs
            ]
            record = json.dumps({"turn": entry.turn, "event": entry.event, "state": "completed", "accepted": 1})
            await turns.commit(
                lease,
                entry,
                Commit(record=record, outputs=said, change="set", state={"n": 1}, ends=begun.ends, now_ms=1),
            )

    async def give_up(self) -> None:
        """Give up every event that waits, as the runtime does with one that kills its workers."""
        for entry in await self.waiting():
            lease = await Leases(self.redis, owner="bot").acquire(entry.partition)
            assert lease is not None
            turns = Turns(self.redis)
            begun = await turns.begin(lease, entry)
            error = {"kind": "DeadLetter", "message": "workers died 3 times", "where": ""}
            told = {"event": entry.event, "key": entry.key, "kind": entry.kind, "payload": entry.payload}
            letter = {**told, "turn": entry.turn, "user": entry.user, "at": str(entry.accepted_ms), "error": error}
            record = {"turn": entry.turn, "event": entry.event, "state": "dead", "accepted": 1, "error": error}
            await turns.commit(
                lease, entry, Commit(record=json.dumps(record), dead=json.dumps(letter), ends=begun.ends, now_ms=1)
            )

    async def letters(self) -> list[dict[str, Any]]:
        """Return the dead letters as the API lists them."""
        answer = await self.http.get(f"{BASE}/dead-letters", headers=bearer("keeper"))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["letters"])

    async def conversation(self, *texts: str, user: str = "ann") -> str:
        """Return a conversation in which the bot has said these texts."""
        accepted = await self.post(user=user)
        await self.answer(*(("bot.message", {"text": text}) for text in texts))
        return str(accepted["conversation"])

    async def add(self, conversation: str, *texts: str, retention: Retention | None = None) -> None:
        """Have the bot say more, outside of a commit."""
        partition = ECHO.partition(conversation)
        lease = await Leases(self.redis, owner="bot").acquire(partition)
        assert lease is not None
        identity = TurnIdentity(ECHO, conversation, "turn_x", "evt_x", "ann", 1)
        said = [
            envelope(identity, now=time.time(), type="bot.message", step="test", status="running", data={"text": text})
            for text in texts
        ]
        entry = Entry("1-0", partition, "evt_x", conversation, "message", "{}", "turn_x", "ann", 1)
        await Turns(self.redis).emit(
            lease, entry, said, number=next(self.emissions), retention=retention or Retention()
        )


@contextlib.asynccontextmanager
async def running_system(
    redis: Redis,
    folder: Path,
    *,
    stream_limits: StreamLimits | None = None,
    rate: float = 0,
    burst: int = 100,
    bot_rate: float = 0,
    max_pending: int = 10_000,
    settings: ServerSettings | None = None,
    origins: tuple[str, ...] = (),
) -> AsyncIterator[System]:
    """Run a gateway for the length of the context."""
    gateway = Gateway.on(
        redis,
        RoutingTable(ROUTES),
        authenticator=StaticTokens(write_tokens(folder / "tokens.yaml")),
        authorizer=Grants(),
        stream_limits=stream_limits,
        rate=rate,
        burst=burst,
        bot_rate=bot_rate,
        bot_burst=burst,
        max_pending=max_pending,
        origins=origins,
    )
    async with serving(gateway, settings) as (server, task):
        url = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
            yield System(redis, gateway, server, task, url, http)


@contextlib.asynccontextmanager
async def serving(
    gateway: Gateway, settings: ServerSettings | None = None
) -> AsyncIterator[tuple[GatewayServer, "asyncio.Task[None]"]]:
    """Serve a gateway on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = GatewayServer(gateway, settings or ServerSettings(drain_timeout=5), own_signals=False)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(60):
            while not server.started:
                await asyncio.sleep(0.005)
        try:
            yield server, task
        finally:
            server.stop()
            async with asyncio.timeout(60):
                await task


@dataclass(frozen=True)
class Received:
    """One server-sent event."""

    id: str
    type: str
    data: str


class Stream:
    """Reads an open event stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments: list[str] = []
        self._lines = response.aiter_lines()

    async def next(self, seconds: float = 5) -> Received | None:
        """Return the next event; None at the end of the stream."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(seconds):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments.append(line[1:].strip())
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    return Received(fields.get("id", ""), fields["event"], fields["data"])
        return None

    async def take(self, count: int) -> list[Received]:
        """Return so many events."""
        found: list[Received] = []
        while len(found) < count:
            event = await self.next()
            assert event is not None, f"the stream ended after {len(found)} events"
            found.append(event)
        return found


@contextlib.asynccontextmanager
async def opened(
    system: System, conversation: str, *, user: str = "ann", after: str = "", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Stream]:
    """Follow a conversation."""
    query = f"?after={after}" if after else ""
    path = f"{BASE}/conversations/{conversation}/events{query}"
    async with system.http.stream("GET", path, headers={**bearer(user), **(headers or {})}) as response:
        assert response.status_code == 200, await response.aread()
        yield Stream(response)


def problem(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """Check that a response is this problem; return its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == TYPE_BASE + name
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def texts(events: Sequence[Received]) -> Iterator[str]:
    """Yield the texts of bot messages."""
    for event in events:
        yield json.loads(event.data)["data"]["text"]


async def records(system: System, key: str, kept: dict[str, Any]) -> None:
    """Write lasting records, as commits of that key's turns do."""
    partition = ECHO.partition(key)
    await system.redis.hset(  # type: ignore[misc]
        keys.records(partition, key),
        mapping={name: b"1 " + codec.encode_value(record) for name, record in kept.items()},
    )
    await system.redis.zadd(keys.record_names(partition, key), dict.fromkeys(kept, 0))
