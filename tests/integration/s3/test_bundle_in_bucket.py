"""Bundles whose artifacts are in a bucket: what the status says while it is away, and that nothing is fetched anew."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from botyard_operator.artifacts.bucket import Bucket
from botyard_operator.artifacts.bucket_store import BucketStore
from botyard_operator.caches import Caches
from botyard_operator.conditions import find
from botyard_operator.kube import KubeClient, load_configuration
from botyard_operator.metrics import Metrics
from tests.integration.apiserver.server import ApiServer
from tests.integration.git.conftest import git_server
from tests.integration.git.reconciling import Operator, at, reason
from tests.integration.git.server import GitServer
from tests.integration.s3.server import S3Server

__all__ = ["git_server"]


@pytest.fixture
async def operator(apiserver: ApiServer, namespace: str, tmp_path: Path, s3: S3Server) -> AsyncIterator[Operator]:
    caches = Caches()
    kube = KubeClient(await load_configuration(str(apiserver.kubeconfig)), caches, Metrics())

    def make_store(root: Path) -> BucketStore:
        return BucketStore(root, Bucket(s3.settings(tmp_path / "secret")), probe_pause=0.05)

    operator = Operator(apiserver, namespace, tmp_path / "disk", kube, caches, make_store=make_store)
    yield operator
    await operator.stop()
    await kube.close()


async def test_a_new_pod_fetches_nothing_anew(operator: Operator, git_server: GitServer, tmp_path: Path) -> None:
    repository = git_server.repository()
    commit = repository.commit({"bot.py": "1"})
    operator.apply({"git": {"url": git_server.url(repository)}, "interval": "1s"})
    before = await operator.until(at(commit))
    await operator.stop()

    operator.root = tmp_path / "another disk"
    git_server.forget()
    operator.start()
    passes = operator.passes
    await operator.until(lambda _: operator.passes > passes + 3)
    assert set(git_server.commands) == {"ls-refs"}, "it is looked at, and not cloned"
    after = operator.bundle()["status"]
    assert after["artifact"] == before["artifact"]
    assert operator.store.verify(after["artifact"]["digest"])


async def test_a_bucket_that_is_away_is_told_as_storage_failed_and_heals(
    operator: Operator, git_server: GitServer, s3: S3Server, tmp_path: Path
) -> None:
    repository = git_server.repository()
    first = repository.commit({"bot.py": "1"})
    operator.apply({"git": {"url": git_server.url(repository)}, "interval": "1s"})
    await operator.until(at(first))

    s3.stop()
    second = repository.commit({"bot.py": "2"})
    status = await operator.until(reason("Fetched", "StorageFailed"))
    conditions = status["conditions"]
    assert (find(conditions, "Ready") or {})["status"] == "True", "the good revision is on the disk"
    assert "s3://artifacts cannot be reached" in (find(conditions, "Ready") or {})["message"]
    assert (find(conditions, "Reconciling") or {})["reason"] == "Retrying"
    s3.start()
    status = await operator.until(at(second))
    assert (find(status["conditions"], "Fetched") or {})["status"] == "True"
    assert len(status["history"]) == 2

    await operator.stop()
    s3.stop()
    operator.root = tmp_path / "another disk"
    operator.start()
    status = await operator.until(reason("ArtifactInStorage", "StorageFailed"))
    assert "cannot be read: the bucket" in (find(status["conditions"], "ArtifactInStorage") or {})["message"]
    ready = find(status["conditions"], "Ready") or {}
    assert (ready["status"], ready["reason"]) == ("False", "StorageFailed"), "nobody can download it now"
    assert len(status["history"]) == 2, "what the bucket holds is not forgotten while it is away"
    s3.start()
    status = await operator.until(reason("ArtifactInStorage", "Succeeded"))
    assert (find(status["conditions"], "Ready") or {})["status"] == "True"
    assert status["artifact"]["revision"].endswith(second)
