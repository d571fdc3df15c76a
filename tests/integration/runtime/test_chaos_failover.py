"""Turns while primaries of Redis are lost and replaced: on Sentinel and on a Cluster, and what may be lost of them.

Supervisors and workers are killed and paused meanwhile. With `acknowledge=fsync&replicas=1` nothing that was
acknowledged is lost. Without it a failover may lose what the primary had acknowledged and its replica, which lags
behind here, had not yet: of a conversation that is the end of what was sent before it, never something in the midst
(docs/durability.md). BOTYARD_CHAOS_FAILOVERS=20 is the long form, of both settings on both deployments;
BOTYARD_CHAOS_SEED repeats its choices.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from botyard.contract.bot import Limits
from botyard.core.connection import Unavailable, connect
from tests.integration.redis.deployments import Nodes, client, cluster_nodes, redis_sentinel, until
from tests.integration.runtime.chaos import LEASE_MS, SEED, Chaos
from tests.integration.runtime.history import judge
from tests.integration.runtime.replica import Bot, Replica, echo

FAILOVERS = int(os.environ.get("BOTYARD_CHAOS_FAILOVERS", "1"))
CONVERSATIONS = [f"c{number}" for number in range(20)]
ACKNOWLEDGED = "?acknowledge=fsync&replicas=1"
CASES = [("sentinel", ACKNOWLEDGED), ("cluster", "")]
if FAILOVERS > 1:
    CASES += [("cluster", ACKNOWLEDGED), ("sentinel", "")]


@contextmanager
def deployment(kind: str) -> Iterator[tuple[str, Nodes]]:
    """Primaries with a replica each; yields URL and nodes, without sentinels."""
    if kind == "cluster":
        with cluster_nodes(program="valkey-server", replicas=1) as (url, nodes):
            yield url, nodes
    else:
        with redis_sentinel("valkey-server") as (url, nodes, _):
            yield url, nodes


@dataclass
class Primary:
    """A primary and its one replica."""

    port: int
    replica: int


def primaries(nodes: Nodes, kind: str) -> list[Primary]:
    """Return the primaries that have a replica which is up to date."""
    found = []
    for port in nodes.data:
        if port not in nodes.processes:
            continue
        about = client(port).info("replication")
        if about["role"] == "slave" and about["master_link_status"] == "up" and not about["master_sync_in_progress"]:
            found.append(Primary(int(about["master_port"]), port))
    return found


class Failovers(Chaos):
    """Harm to replicas of the bot, and to the primaries of its Redis."""

    def __init__(self, bot: Bot, nodes: Nodes, kind: str, rng: random.Random, *, lagging: bool) -> None:
        super().__init__(bot, None, rng)
        self.nodes = nodes
        self.kind = kind
        self.lagging = lagging
        """What becomes the new primary lags behind."""
        self.epoch = 0
        """Grows when a failover begins, and when it ends."""

    async def harm(self) -> None:
        """Do every harm once, in any order."""
        harms = [self.kill_worker, self.kill_replica, self.pause_replica, self.fail_over]
        self.rng.shuffle(harms)
        for harm in harms:
            await asyncio.sleep(self.rng.uniform(0.2, 0.8))
            await harm(self.rng.choice(self.bot.replicas))
            self.done[harm.__name__] += 1

    async def fail_over(self, _: Replica) -> None:
        """Kill a primary, and start it again as the replica of the one that took its place."""
        await asyncio.to_thread(self._fail_over)

    def _fail_over(self) -> None:
        nodes, wanted = self.nodes, len(self.nodes.data) // 2
        until(lambda: len(primaries(nodes, self.kind)) == wanted, "replicas")
        lost = self.rng.choice(primaries(nodes, self.kind))
        self.epoch += 1
        if self.lagging:
            nodes.processes[lost.replica].send_signal(signal.SIGSTOP)
            client(lost.port).execute_command("CLIENT", "KILL", "TYPE", "replica")
            time.sleep(self.rng.uniform(0.2, 0.8))
        nodes.kill(lost.port)
        nodes.processes[lost.replica].send_signal(signal.SIGCONT)
        until(lambda: client(lost.replica).info("replication")["role"] == "master", "the new primary")
        if self.kind == "sentinel":
            (sentinel,) = nodes.processes.keys() - set(nodes.data)
            asked = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
            until(lambda: int(client(sentinel).execute_command(*asked)[1]) == lost.replica, "the sentinel")
        self.epoch += 1
        nodes.restart(lost.port)
        if self.kind == "sentinel":
            # Sentinel does so by itself, after ten seconds.
            client(lost.port).replicaof("127.0.0.1", lost.replica)


@dataclass
class Sent:
    """A message that was acknowledged."""

    text: str
    began: int
    """The epoch in which it was sent."""
    acknowledged: int
    """The same, when it was acknowledged."""


async def talk(bot: Bot, chaos: Failovers, enough: asyncio.Event, name: str, sent: list[Sent], maybe: set[str]) -> None:
    """Say one thing after the other; what is not acknowledged may have arrived, and is not sent again."""
    number = 0
    while not enough.is_set():
        text, began, number = f"m{number}", chaos.epoch, number + 1
        try:
            await bot.say(text, name)
            sent.append(Sent(text, began, chaos.epoch))
        except Unavailable:
            maybe.add(text)
        await asyncio.sleep(chaos.rng.uniform(0.05, 0.3))


def holes(sent: list[Sent], answered: list[str]) -> list[str]:
    """Return what is missing and is not the end of what was acknowledged before a failover."""
    found, kept = [], set(answered)
    last = max(message.acknowledged for message in sent)
    for epoch in range(0, last + 1, 2):
        # Whatever was sent or acknowledged during a failover may be on either side of it.
        safe = [message.text for message in sent if message.began == message.acknowledged == epoch]
        while epoch < last and safe and safe[-1] not in kept:
            safe.pop()
        found += [text for text in safe if text not in kept]
    return found


async def idle(bot: Bot) -> None:
    """Return when everything that was accepted is committed."""
    while True:
        try:
            if await bot.inbox.pending(bot.address) == 0:
                return
        except Unavailable:
            pass
        await asyncio.sleep(0.1)


@pytest.mark.timeout(180 + 90 * FAILOVERS)
@pytest.mark.parametrize(("kind", "policy"), CASES, ids=[f"{kind}{'-acknowledged' * bool(p)}" for kind, p in CASES])
async def test_a_failover_loses_what_its_setting_says_and_nothing_is_doubled_or_reordered(
    kind: str, policy: str, tmp_path: Path
) -> None:
    print(f"BOTYARD_CHAOS_SEED={SEED} BOTYARD_CHAOS_FAILOVERS={FAILOVERS}")
    with deployment(kind) as (url, nodes):
        bot = Bot(
            connect(url + policy), url + policy, tmp_path, code=echo(), lease_ms=LEASE_MS,
            limits=Limits(concurrency=8, max_attempts=15),
        )  # fmt: skip
        try:
            await bot.start(2)
            for name in CONVERSATIONS:
                await bot.say("reset", name)
            await idle(bot)
            chaos, enough = Failovers(bot, nodes, kind, random.Random(SEED), lagging=not policy), asyncio.Event()
            sent: dict[str, list[Sent]] = defaultdict(list)
            maybe: dict[str, set[str]] = defaultdict(set)
            talking = [
                asyncio.create_task(talk(bot, chaos, enough, name, sent[name], maybe[name])) for name in CONVERSATIONS
            ]
            for number in range(FAILOVERS):
                await chaos.harm()
                print(f"{number + 1} failovers, {sum(map(len, sent.values()))} messages", flush=True)
            before = sum(map(len, sent.values()))
            while sum(map(len, sent.values())) < before + 2 * len(CONVERSATIONS):
                await asyncio.sleep(0.1)
            enough.set()
            await asyncio.gather(*talking, *chaos.resumes)
            await idle(bot)
            answered = {name: [each.split(": ", 1)[1] for each in await bot.texts(name)] for name in CONVERSATIONS}
        finally:
            bot.stop()
            await bot.redis.aclose()
    verdict = judge({name: [each.text for each in said] for name, said in sent.items()}, maybe, answered)
    print(f"{sum(map(len, sent.values()))} acknowledged, {len(verdict.lost)} lost, {Counter(chaos.done)}")
    assert (verdict.doubled, verdict.reordered, verdict.invented) == ([], [], []), f"seed {SEED}"
    if policy:
        assert verdict.lost == [], f"seed {SEED}"
    missing = {name: holes(said, answered[name]) for name, said in sent.items()}
    assert not any(missing.values()), f"seed {SEED}: {missing}"
