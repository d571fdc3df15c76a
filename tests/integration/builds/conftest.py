"""A build as its pod runs it: the real courier, the real builder with uv, the operator's real server."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from botyard.bundle_build.courier import Courier
from botyard.bundle_fetch import RetryPolicy
from botyard.contract.build import BuildLimits, BuildReport, BuildRequest
from botyard_operator.artifacts import ArtifactStore
from botyard_operator.artifacts.build_server import BuildEndpoints
from botyard_operator.artifacts.builds import BuildRecords, IndexAccess, LiveBuild, LiveBuilds
from botyard_operator.artifacts.package_index import PackageIndex
from botyard_operator.artifacts.server import ArtifactServer
from botyard_operator.artifacts.tokens import build_token, index_token, token_for
from botyard_operator.builders.build_job import index_url
from tests.cluster.bots import counter
from tests.integration.builds.packages import Index, serve

KEY = b"k" * 32
BOT = counter("v1")["bot.py"]
RUN = """
import sys
from pathlib import Path
from botyard.bundle_build.builder import build
from botyard.contract.build import BuildRequest
bundle, layer, shared, work = map(Path, sys.argv[2:6])
build(BuildRequest.model_validate_json(sys.argv[1]), bundle=bundle, layer=layer, shared=shared, work=work,
      index_url=sys.stdin.read().strip())
"""


@dataclass
class Built:
    """What a build left behind."""

    report: BuildReport
    layer: Path
    log: str

    @property
    def reason(self) -> str:
        return self.report.failure.reason if self.report.failure else ""

    @property
    def message(self) -> str:
        return self.report.failure.message if self.report.failure else ""


@dataclass
class Builds:
    """The operator's side, and pods that are folders and processes."""

    root: Path
    store: ArtifactStore
    records: BuildRecords
    live: LiveBuilds
    base_url: str
    index: Index
    count: int = 0
    limits: BuildLimits = field(default_factory=lambda: BuildLimits(install_seconds=120, inspect_seconds=120))

    def source(self, files: dict[str, str | bytes]) -> str:
        """Put a bundle into the store; return its digest."""
        folder = self.root / f"source-{self.count}"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        with self.store.work_dir() as work:
            archive = work / "artifact.tar.gz"
            digest = make_archive(folder, archive)
            self.store.adopt(archive, digest)
        return digest

    def request(self, files: dict[str, str | bytes], requirements: tuple[str, ...] = (), **fields: Any) -> BuildRequest:
        digest = self.source(files)
        identity = json.dumps([digest, requirements, self.count, str(fields)])
        build = sha256(identity.encode()).hexdigest()
        return BuildRequest(
            id=build,
            bundle="shop/repairs",
            url=f"{self.base_url}/v1/builds/{build}",
            source_url=f"{self.base_url}/v1/artifacts/{digest[7:]}.tar.gz",
            source_digest=digest,
            requirements=requirements,
            index="the index",
            **{"limits": self.limits, **fields},
        )

    async def build(
        self, files: dict[str, str | bytes], *requirements: str, namespace: str = "shop", **fields: Any
    ) -> Built:
        """Run a whole build."""
        self.count += 1
        request = self.request(files, requirements, **fields)
        user, password = self.index.given or self.index.user or ("", "")
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.live[request.id] = LiveBuild(
            namespace, IndexAccess(self.index.url, user, password), lambda: loop.call_soon_threadsafe(done.set)
        )
        said, layer = await run_pod(
            request,
            self.root / f"pod-{self.count}",
            source_token=token_for(KEY, request.source_digest),
            build_token=build_token(KEY, request.id),
            index_url=index_url(request, index_token(KEY, request.id)),
        )
        await asyncio.wait_for(done.wait(), 60)
        del self.live[request.id]
        record = self.records.get(request.id)
        assert record is not None, said
        return Built(record.report, layer, said)


async def run_pod(
    request: BuildRequest, pod: Path, *, source_token: str, build_token: str, index_url: str
) -> tuple[str, Path]:
    """Run both containers of a build pod; return what the builder said, and the layer's folder."""
    bundle, layer, shared, work, own = (pod / name for name in ("bundle", "layer", "build", "tmp", "courier"))
    for folder in (bundle, layer, shared, work, own):
        folder.mkdir(parents=True)
    builder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, request.to_json(), *map(str, (bundle, layer, shared, work)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    )  # fmt: skip
    courier = Courier(
        request,
        source_token=source_token,
        build_token=build_token,
        bundle=bundle,
        layer=layer,
        shared=shared,
        work=own,
        policy=RetryPolicy(first_pause=0.05, request_timeout=60),
    )
    (said, _), _ = await asyncio.gather(builder.communicate(index_url.encode()), asyncio.to_thread(courier.run))
    return said.decode(), layer


def make_archive(folder: Path, target: Path) -> str:
    from botyard.bundle_build.pack import pack

    return pack(folder, target, max_bytes=1 << 30, max_files=10_000)


@pytest.fixture
def index() -> Iterator[Index]:
    with serve() as found:
        yield found


@pytest.fixture
async def builds(tmp_path: Path, index: Index) -> AsyncIterator[Builds]:
    store = ArtifactStore(tmp_path / "store")
    store.open()
    records = BuildRecords(store)
    live: LiveBuilds = {}
    server = ArtifactServer(
        store,
        key=KEY,
        further=(
            BuildEndpoints(store, records, live, key=KEY, max_layer_bytes=1 << 30),
            PackageIndex(live, key=KEY, allow_loopback=True),
        ),
    )
    port = await server.start(0, "127.0.0.1")
    yield Builds(tmp_path, store, records, live, f"http://127.0.0.1:{port}", index)
    await server.stop()
