"""The operator beside a bare script that creates the same children, in one run on a real API server.

    python -m benchmarks.control_plane [--bots 300] [--idle 30] [--json FILE]

Both sides share one etcd and one API server without controllers; a stand-in for them, the same for both, marks every
Deployment as rolled out when it appears. "Bare" posts the children of N Bots over 16 connections, before and after the
operator's turn (the mean counts), and ends when the last Deployment is marked. "Operator" begins with the first Bot
that is posted and ends when the last one is Ready. The ratio is what to look at: the speed of the machine and of
the API server cancels out.

Then, with the same N Bots: memory, CPU and writes of the idle operator, the time from an edit of a spec to the changed
child, and the time that a restart takes.
"""

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiohttp
import yaml

from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaShard
from botyard_operator import resources
from botyard_operator.builders.children import children, stamped
from botyard_operator.builders.config_map import persona_shard
from botyard_operator.builders.inputs import Artifact, BotInputs
from botyard_operator.builders.secret import token_entry
from botyard_operator.resources import Resource
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.process import REDIS_URL, SYSTEM_NAMESPACE, OperatorProcess

Object = dict[str, Any]

CONNECTIONS = 16
"""Requests at once, for the bare script and for whoever posts Bots; the operator has as many workers."""
NAMESPACES = 10
EDITS = 100
DIGEST = "sha256:" + "a1" * 32
ARTIFACT = Artifact("main@sha1:" + "0b" * 20, DIGEST, f"http://artifacts.example.com/v1/artifacts/{'a1' * 32}.tar.gz")
PATIENCE = 1800.0
"""Seconds after which a side is given up."""


class Api:
    """Plain requests to the API server."""

    def __init__(self, server: ApiServer) -> None:
        config = yaml.safe_load(server.kubeconfig.read_text())
        authority = Path(config["clusters"][0]["cluster"]["certificate-authority"]).read_text()
        token = config["users"][0]["user"]["token"]
        self._session = aiohttp.ClientSession(
            base_url=server.url,
            headers={"Authorization": f"Bearer {token}", "User-Agent": "benchmark"},
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cadata=authority)),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=30),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, method: str, path: str, body: Object | None = None, *, patch: bool = False) -> Object:
        """Send one request and return what the server answers; a refusal is raised."""
        headers = {"Content-Type": "application/merge-patch+json"} if patch else {}
        async with self._session.request(method, path, json=body, headers=headers) as response:
            answer: Object = await response.json()
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.get('message')}")
            return answer

    async def create(self, obj: Object) -> Object:
        """Create an object."""
        return await self.send("POST", _resource(obj).path(obj["metadata"].get("namespace")), obj)

    async def status(self, resource: Resource, namespace: str, name: str, status: Object) -> None:
        """Set the status of an object."""
        await self.send("PATCH", resource.path(namespace, name, "status"), {"status": status}, patch=True)

    async def watch(self, resource: Resource) -> AsyncIterator[Object]:
        """Return the objects of a kind, of all namespaces, as they are and become."""
        version = ""
        while True:
            path = f"{resource.path(None)}?watch=true&timeoutSeconds=1200&resourceVersion={version}"
            async with self._session.get(path) as response:
                while line := await response.content.readuntil(b"\n"):
                    obj: Object = json.loads(line)["object"]
                    version = obj["metadata"]["resourceVersion"]
                    yield obj


class StandIn:
    """The controllers and kubelets: says of each Deployment that it is rolled out, once it is there."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._seen: set[str] = set()
        self.ready = 0
        """Deployments that were marked."""

    async def run(self) -> None:
        """Mark Deployments until cancelled."""
        async with asyncio.TaskGroup() as group:
            async for deployment in self._api.watch(resources.DEPLOYMENT):
                metadata = deployment["metadata"]
                mark = f"{metadata['uid']}/{metadata['generation']}"
                if mark not in self._seen:
                    self._seen.add(mark)
                    group.create_task(self._roll_out(deployment))

    async def _roll_out(self, deployment: Object) -> None:
        metadata, count = deployment["metadata"], deployment["spec"]["replicas"]
        counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        status = {"observedGeneration": metadata["generation"], **dict.fromkeys(counts, count)}
        await self._api.status(resources.DEPLOYMENT, metadata["namespace"], metadata["name"], status)
        self.ready += 1


class Readiness:
    """When each Bot became Ready for the first time."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.at: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        async for bot in self._api.watch(resources.BOT):
            conditions = (bot.get("status") or {}).get("conditions") or ()
            if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
                self.at.setdefault((bot["metadata"]["namespace"], bot["metadata"]["name"]), time.perf_counter())


def bare_children(prefix: str, number: int) -> list[Object]:
    """Return what the operator would create for a Bot, without an owner."""
    namespace, name = place(prefix, number)
    inputs = BotInputs(
        name=name,
        namespace=namespace,
        uid="",
        replicas=1,
        artifact=ARTIFACT,
        config=BotConfig(namespace=namespace, name=name, config={"greeting": "hello"}),
        runtime_image="registry.example.com/botyard/runtime:1",
        image_pull_policy="IfNotPresent",
        redis_url=REDIS_URL,
        artifact_tokens={token_entry(DIGEST): b"f0" * 32},
        system_namespace=SYSTEM_NAMESPACE,
    )
    shard = persona_shard(bot=name, uid="", namespace=namespace, number=0, shard=PersonaShard())
    found = [stamped(shard), *children(inputs)]
    for obj in found:
        del obj["metadata"]["ownerReferences"]
    return found


def place(prefix: str, number: int) -> tuple[str, str]:
    """Return namespace and name of a Bot."""
    return f"{prefix}-{number % NAMESPACES}", f"bot-{number:05}"


async def concurrently(work: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Run everything, `CONNECTIONS` at once."""
    todo = iter(work)

    async def worker() -> None:
        for one in todo:
            await one()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(worker())


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE:.0f} s in vain until {what}")
        await asyncio.sleep(0.02)


async def bare(api: Api, prefix: str, bots: int) -> float:
    """Return the seconds in which a script creates the children of all Bots and sees them rolled out."""
    await namespaces(api, prefix)
    rendered = [bare_children(prefix, number) for number in range(bots)]

    async def one(objects: list[Object]) -> None:
        for obj in objects:
            await api.create(obj)

    async with background(StandIn(api)) as stand_in:
        await settled(lambda: stand_in.ready)
        before, started = stand_in.ready, time.perf_counter()
        await concurrently([lambda objects=objects: one(objects) for objects in rendered])  # type: ignore[misc]
        await until(lambda: stand_in.ready - before >= bots, "all Deployments are rolled out")
        return time.perf_counter() - started


async def operated(api: Api, prefix: str, bots: int) -> tuple[float, Readiness]:
    """Return the seconds from the first Bot posted to the last one Ready."""
    await namespaces(api, prefix)
    for number in range(NAMESPACES):
        await bundle(api, f"{prefix}-{number}")
    readiness = Readiness(api)

    async def one(number: int) -> None:
        namespace, name = place(prefix, number)
        spec = {"bundleRef": {"name": "code"}, "config": {"greeting": "hello"}}
        await api.create(_object(resources.BOT, namespace, name, spec=spec))

    async with background(StandIn(api)) as stand_in, background(readiness):
        await settled(lambda: stand_in.ready)
        started = time.perf_counter()
        await concurrently([lambda number=number: one(number) for number in range(bots)])  # type: ignore[misc]
        await until(lambda: len(readiness.at) >= bots, "all Bots are Ready")
    return max(readiness.at.values()) - started, readiness


async def edits(api: Api, prefix: str, bots: int) -> list[float]:
    """Return the seconds from each of some edits of a spec to the changed ConfigMap."""
    applied: dict[tuple[str, str], float] = {}
    marker = f"edited-{time.time_ns()}"

    class Applied:
        async def run(self) -> None:
            async for obj in api.watch(resources.CONFIG_MAP):
                if marker in (obj.get("data") or {}).get("bot.json", ""):
                    applied[(obj["metadata"]["namespace"], obj["metadata"]["name"])] = time.perf_counter()

    waited = []
    async with background(Applied()):
        for number in range(0, bots, max(1, bots // EDITS)):
            namespace, name = place(prefix, number)
            child, started = (namespace, f"{name}-bot"), time.perf_counter()
            patch = {"spec": {"config": {"greeting": marker}}}
            await api.send("PATCH", resources.BOT.path(namespace, name), patch, patch=True)
            await until(lambda child=child: child in applied, f"{child} has the edit")  # type: ignore[misc]
            waited.append(applied[child] - started)
    return waited


class Runs(Protocol):
    """Something that goes on until it is cancelled."""

    async def run(self) -> None:
        """Do it."""


Thing = TypeVar("Thing", bound=Runs)


@contextlib.asynccontextmanager
async def background(thing: Thing) -> AsyncIterator[Thing]:
    """Run `thing` meanwhile; a failure of it is raised."""
    task = asyncio.create_task(thing.run())
    try:
        yield thing
        if task.done():
            task.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def settled(count: Callable[[], int]) -> None:
    """Wait until a count stays for half a second: what existed before was seen."""
    last = -1
    while last != (last := count()):
        await asyncio.sleep(0.5)


async def namespaces(api: Api, prefix: str) -> None:
    """Create the namespaces of one side."""
    for number in range(NAMESPACES):
        name = f"{prefix}-{number}"
        await api.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})


async def bundle(api: Api, namespace: str) -> None:
    """Create a Bundle that has its artifact; it is suspended, so that nothing is fetched."""
    spec = {"git": {"url": "https://git.example.com/bots.git"}, "suspend": True}
    await api.create(_object(resources.BUNDLE, namespace, "code", spec=spec))
    artifact = {"revision": ARTIFACT.revision, "digest": DIGEST, "url": ARTIFACT.url, "size": 1000}
    artifact["lastUpdateTime"] = "2026-01-01T00:00:00Z"
    await api.status(resources.BUNDLE, namespace, "code", {"artifact": artifact})


def _object(resource: Resource, namespace: str, name: str, **content: Any) -> Object:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **content}


def _resource(obj: Object) -> Resource:
    return resources.of(obj["kind"])


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def operator_writes(server: ApiServer, since: datetime) -> int:
    """Return how many writes were neither the benchmark's nor the Lease's."""
    return sum(
        write.user_agent not in {"benchmark", "botyard-tests"} and write.resource != "leases"
        for write in server.audit_writes(since)
    )


async def measure(server: ApiServer, folder: Path, *, bots: int, idle: float) -> Object:
    """Run all parts and return the figures."""
    api = Api(server)
    try:
        await api.send("POST", "/api/v1/namespaces", {"metadata": {"name": SYSTEM_NAMESPACE}})
        first = await bare(api, "before", bots)
        operator = OperatorProcess(server, folder)
        try:
            await asyncio.to_thread(operator.await_leading)
            empty = operator.rss_bytes()
            seconds, _ = await operated(api, "operated", bots)
            await quiet(server)
            after = operator.rss_bytes()
            since, cpu = datetime.now(UTC), cpu_seconds(operator.pid)
            await asyncio.sleep(idle)
            idle_cpu, idle_writes = (cpu_seconds(operator.pid) - cpu) / idle, operator_writes(server, since)
            waited = sorted(await edits(api, "operated", bots))
            await quiet(server)
            since, started = datetime.now(UTC), time.perf_counter()
            await asyncio.to_thread(operator.restart)
            await asyncio.to_thread(operator.await_leading)
            restart = time.perf_counter() - started
            await asyncio.sleep(max(5.0, bots / 200))
            restart_writes, restarted = operator_writes(server, since), operator.rss_bytes()
        finally:
            operator.stop()
        second = await bare(api, "after", bots)
    finally:
        await api.close()
    mean = statistics.mean((first, second))
    return {
        "bots": bots,
        "bare_seconds": [round(first, 2), round(second, 2)],
        "operator_seconds": round(seconds, 2),
        "ratio": round(seconds / mean, 2),
        "rss_mib": {
            name: round(size / 2**20) for name, size in (("empty", empty), ("busy", after), ("restarted", restarted))
        },
        "idle_cpu_percent_of_a_core": round(100 * idle_cpu, 2),
        "idle_writes": idle_writes,
        "idle_seconds": idle,
        "edit_to_child_ms": {
            "p50": round(1000 * statistics.median(waited), 1),
            "p95": round(1000 * waited[int(0.95 * (len(waited) - 1))], 1),
        },
        "restart_seconds": round(restart, 2),
        "restart_writes": restart_writes,
    }


async def quiet(server: ApiServer) -> None:
    """Wait until the operator has written nothing for two seconds."""
    while True:
        since = datetime.now(UTC)
        await asyncio.sleep(2.0)
        if operator_writes(server, since) == 0:
            return


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bots", type=int, default=300)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds in which the idle operator is watched")
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="botyard-benchmark-") as name:
        server = ApiServer(Path(name))
        server.start()
        try:
            figures = asyncio.run(measure(server, Path(name) / "operator", bots=options.bots, idle=options.idle))
        finally:
            server.client.close()
            server.stop()
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
