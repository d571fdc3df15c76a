"""A git server and a fetch against it, for each test."""

import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard_operator.fetch import Fetcher, FetchRequest, FetchResult, FetchSettings
from botyard_operator.fetch.child import run as run_child
from botyard_operator.fetch.request import ChildRequest
from tests.integration.apiserver.client import Refused
from tests.integration.apiserver.server import ApiServer
from tests.integration.git.server import GitServer, serve
from tests.integration.operator.process import SYSTEM_NAMESPACE, OperatorProcess

Fetch = Callable[..., Coroutine[Any, Any, FetchResult]]


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    root = tmp_path / "repositories"
    root.mkdir()
    with serve(root) as server:
        yield server


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def fetch(work: Path) -> Fetch:
    """Fetch in a real child process; each call has a work folder of its own below `work`."""

    async def run(url: str, *, settings: FetchSettings | None = None, **fields: object) -> FetchResult:
        request = FetchRequest.model_validate({"url": url, "timeout_seconds": 120, **fields})
        fetcher = Fetcher(settings or FetchSettings())
        try:
            return await fetcher.fetch(request, Path(tempfile.mkdtemp(dir=work)))
        finally:
            await fetcher.close()

    return run


@pytest.fixture
def operator_process(
    apiserver: ApiServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OperatorProcess]:
    """An operator for the test's namespace, with the most talkative log."""
    try:
        apiserver.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}})
    except Refused as error:
        if error.code != 409:
            raise
    monkeypatch.setenv("BOTYARD_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("BOTYARD_ARTIFACT_QUOTA_BYTES", "100000")
    process = OperatorProcess(apiserver, tmp_path / "operator", namespaces=[namespace])
    try:
        process.await_leading()
        yield process
    finally:
        process.stop()


@pytest.fixture
def fetch_here(work: Path) -> Callable[..., FetchResult]:
    """Fetch inside of the test's process, without the limits of a child: for what a source's content decides."""

    def run(url: str = "", **fields: object) -> FetchResult:
        folder = Path(tempfile.mkdtemp(dir=work))
        limits = {"max_download_bytes": 1 << 28, "memory_bytes": 1 << 30, "cpu_seconds": 60, "work_dir": folder}
        return run_child(ChildRequest.model_validate({"url": url, **limits, **fields}))

    return run
