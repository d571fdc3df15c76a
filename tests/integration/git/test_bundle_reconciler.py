"""The Bundle reconciler against a real API server, a real git server and a real store."""

import asyncio
import hashlib
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from botyard_operator.caches import Caches
from botyard_operator.conditions import find
from botyard_operator.kube import KubeClient, load_configuration
from botyard_operator.metrics import Metrics
from botyard_operator.reconcile.base import JsonObject
from tests.integration.apiserver.server import ApiServer
from tests.integration.git.files import serve_files
from tests.integration.git.reconciling import Operator, at, reason
from tests.integration.git.server import GitServer, Repository
from tests.integration.git.ssh import make_key, public_key


@pytest.fixture
async def operator(apiserver: ApiServer, namespace: str, tmp_path: Path) -> AsyncIterator[Operator]:
    caches = Caches()
    kube = KubeClient(await load_configuration(str(apiserver.kubeconfig)), caches, Metrics())
    operator = Operator(apiserver, namespace, tmp_path / "store", kube, caches)
    yield operator
    await operator.stop()
    await kube.close()


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    return git_server.repository()


def spec(server: GitServer, repository: Repository, **fields: Any) -> JsonObject:
    return {"git": {"url": server.url(repository)}, "interval": "1s", **fields}


async def test_a_bundle_becomes_ready_with_its_artifact_in_storage(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    commit = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    status = await operator.until(at(commit))
    artifact = status["artifact"]
    assert artifact["revision"] == f"main@sha1:{commit}"
    content = operator.store.path(artifact["digest"]).read_bytes()
    assert artifact["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert artifact["size"] == len(content)
    assert artifact["url"] == f"http://artifacts:8082/v1/artifacts/{artifact['digest'][7:]}.tar.gz"
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Ready": "True",
        "Fetched": "True",
        "ArtifactInStorage": "True",
    }
    assert status["observedGeneration"] == 1
    assert operator.events.recorded == [("Normal", "NewRevision")]


async def test_a_push_is_followed_and_the_old_revision_kept(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    first = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    old = (await operator.until(at(first)))["artifact"]
    second = repository.commit({"bot.py": "2"})
    status = await operator.until(at(second))
    assert [entry["revision"] for entry in status["history"]] == [f"main@sha1:{second}", f"main@sha1:{first}"]
    assert operator.store.has(old["digest"])


async def test_an_unchanged_remote_costs_no_write_and_no_clone(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    commit = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    await operator.until(at(commit))
    git_server.forget()
    version = operator.bundle()["metadata"]["resourceVersion"]
    passes = operator.passes
    while git_server.packs < 4:
        await asyncio.sleep(0.02)
    while operator.passes < passes + 4:
        await asyncio.sleep(0.02)
    assert set(git_server.commands) == {"ls-refs"}
    assert operator.bundle()["metadata"]["resourceVersion"] == version


async def test_a_bad_push_leaves_the_good_revision_ready(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    good = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    await operator.until(at(good))
    repository.commit({"bot.py": "1"}, links={"passwords": "/etc/passwd"})
    status = await operator.until(reason("Stalled", "UnsafePath"))
    ready = find(status["conditions"], "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("True", "Succeeded")
    assert "passwords" in ready["message"]
    assert at(good)(status)
    # The refused commit is not downloaded again at every poll.
    git_server.forget()
    while git_server.packs < 3:
        await asyncio.sleep(0.02)
    assert set(git_server.commands) == {"ls-refs"}
    mended = repository.commit({"bot.py": "2"})
    status = await operator.until(at(mended))
    assert find(status["conditions"], "Stalled") is None


async def test_what_may_heal_is_reconciling_and_heals(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    operator.apply(spec(git_server, repository))
    status = await operator.until(reason("Reconciling", "Retrying"))
    ready = find(status["conditions"], "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("False", "RepositoryEmpty")
    assert find(status["conditions"], "Stalled") is None
    commit = repository.commit({"bot.py": "1"})
    await operator.until(at(commit))
    assert operator.condition("Reconciling") is None


async def test_a_lost_artifact_comes_back_with_the_same_digest(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    commit = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    digest = (await operator.until(at(commit)))["artifact"]["digest"]
    version = operator.bundle()["metadata"]["resourceVersion"]
    await operator.stop()
    shutil.rmtree(operator.root)
    operator.start()
    async with asyncio.timeout(120):
        while not operator.store.has(digest):
            await asyncio.sleep(0.02)
        while operator.jobs.outcome(operator.key) is None:
            await asyncio.sleep(0.02)
    assert operator.bundle()["metadata"]["resourceVersion"] == version


async def test_the_good_revision_comes_back_even_when_the_branch_is_bad(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    good = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    digest = (await operator.until(at(good)))["artifact"]["digest"]
    await operator.stop()
    shutil.rmtree(operator.root)
    repository.commit({"bad": "1"}, links={"bot.py": "../outside"})
    operator.start()
    await operator.until(reason("Stalled", "UnsafePath"))
    status = await operator.until(lambda status: reason("Ready", "Succeeded")(status) and operator.store.has(digest))
    assert at(good)(status)


async def test_a_restart_with_its_disk_downloads_nothing(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    commit = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository, interval="1h"))
    await operator.until(at(commit))
    await operator.stop()
    git_server.forget()
    operator.start()
    async with asyncio.timeout(120):
        while operator.jobs.outcome(operator.key) is None:
            await asyncio.sleep(0.02)
    assert git_server.packs == 1


async def test_a_request_forces_a_look_before_the_interval_ends(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    operator.apply(spec(git_server, repository, interval="1h"))
    await operator.until(at(repository.commit({"bot.py": "1"})))
    commit = repository.commit({"bot.py": "2"})
    operator.apply(spec(git_server, repository, interval="1h"), {"botyard.dev/requestedAt": "now"})
    status = await operator.until(at(commit))
    assert status["lastHandledRequestedAt"] == "now"


async def test_a_changed_path_is_another_artifact_at_once(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    commit = repository.commit({"a/bot.py": "1", "b/bot.py": "2"})
    operator.apply(spec(git_server, repository, interval="1h", path="a"))
    first = (await operator.until(at(commit, 1)))["artifact"]["digest"]
    operator.apply(spec(git_server, repository, interval="1h", path="b"))
    await operator.until(lambda status: at(commit, 2)(status) and status["artifact"]["digest"] != first)
    operator.apply(spec(git_server, repository, interval="1h", path="c"))
    status = await operator.until(reason("Stalled", "PathNotFound"))
    assert (status["observedGeneration"], find(status["conditions"], "Ready")["status"]) == (3, "True")  # type: ignore[index]


async def test_a_suspended_bundle_is_not_looked_at(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    commit = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    await operator.until(at(commit))
    operator.apply(spec(git_server, repository, suspend=True))
    status = await operator.until(reason("Ready", "Suspended"))
    assert find(status["conditions"], "Ready")["status"] == "True"  # type: ignore[index]
    assert operator.jobs.running_for(operator.key, "") is None
    git_server.forget()
    newer = repository.commit({"bot.py": "2"})
    operator.apply(spec(git_server, repository))
    await operator.until(at(newer))


async def test_dependencies_are_refused_where_nothing_is_built(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    repository.commit({"bot.py": "1", "requirements.txt": "weather==1.2"})
    operator.apply(spec(git_server, repository, dependencies={"requirements": ["requirements.txt"]}))
    status = await operator.until(reason("Stalled", "BuildNotAllowed"))
    assert find(status["conditions"], "Ready")["status"] == "False"  # type: ignore[index]
    assert "artifact" not in status
    operator.apply(spec(git_server, repository))
    status = await operator.until(reason("Ready", "Succeeded"))
    assert find(status["conditions"], "Stalled") is None


async def test_a_slow_fetch_is_told_and_holds_no_worker(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    commit = repository.commit({"bot.py": "1"})
    git_server.hold = threading.Event()
    operator.apply(spec(git_server, repository))
    assert await asyncio.to_thread(git_server.arrived.wait, 120)
    assert operator.passes >= 1, "the pass that started the fetch is over while the fetch goes on"
    status = await operator.until(reason("Reconciling", "Progressing"))
    assert find(status["conditions"], "Ready")["status"] == "False"  # type: ignore[index]
    git_server.hold.set()
    await operator.until(at(commit))


async def test_a_deleted_bundle_ends_its_fetch(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    git_server.hold = threading.Event()
    operator.apply(spec(git_server, repository))
    assert await asyncio.to_thread(git_server.arrived.wait, 120)
    operator.server.client.delete(operator.bundle())
    operator.caches.remove(operator.key)
    passes = operator.passes
    operator.context.enqueue(operator.key)
    while operator.passes == passes:
        await asyncio.sleep(0.02)
    async with asyncio.timeout(120):
        while list((operator.root / "tmp").iterdir()):
            await asyncio.sleep(0.02)
    assert operator.jobs.outcome(operator.key) is None


async def test_only_as_many_revisions_stay_as_the_spec_asks_for(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    await sweeping_at_once(operator)
    wanted = spec(git_server, repository, retain={"revisions": 2, "ttl": "1h"})
    digests = []
    for content in "123":
        commit = repository.commit({"bot.py": content})
        operator.apply(wanted)
        digests.append((await operator.until(at(commit)))["artifact"]["digest"])
    assert all(map(operator.store.has, digests)), "the oldest still has its hour"
    # The hour passes: the revisions were stored, and their places taken, long ago.
    status = operator.bundle()["status"]
    for artifact in (status["artifact"], *status["history"]):
        artifact["lastUpdateTime"] = "2026-01-01T00:00:00Z"
    operator.caches.put(
        "Bundle", operator.server.client.patch(operator.bundle(), {"status": status}, subresource="status")
    )
    status = await operator.until(lambda status: len(status["history"]) == 2)
    assert [entry["digest"] for entry in status["history"]] == [digests[2], digests[1]]
    await until(lambda: not operator.store.has(digests[0]))
    assert operator.store.has(digests[1])
    # A shorter list is in force at the next look.
    operator.apply({**wanted, "retain": {"revisions": 1, "ttl": "1h"}})
    await until(lambda: not operator.store.has(digests[1]))
    assert operator.store.has(digests[2])


async def test_what_a_deployment_runs_is_never_swept(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    await sweeping_at_once(operator)
    digests = {}
    for name in ("run", "unused"):
        with operator.store.work_dir() as work:
            (work / "a").write_text(name)
            digests[name] = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
            operator.store.adopt(work / "a", digests[name])
    container = {
        "name": "fetch",
        "image": "x",
        "env": [{"name": "BOTYARD_ARTIFACT_DIGEST", "value": digests["run"]}],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "old", "namespace": operator.namespace},
        "spec": {
            "selector": {"matchLabels": {"app": "old"}},
            "template": {
                "metadata": {"labels": {"app": "old"}},
                "spec": {"initContainers": [container], "containers": [{"name": "worker", "image": "x"}]},
            },
        },
    }
    operator.caches.put("Deployment", operator.server.client.create(deployment))
    commit = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    await operator.until(at(commit))
    await until(lambda: not operator.store.has(digests["unused"]))
    assert operator.store.has(digests["run"])


async def test_artifacts_of_a_deleted_bundle_go_though_no_other_bundle_is_left(
    operator: Operator, git_server: GitServer, repository: Repository
) -> None:
    await sweeping_at_once(operator)
    commit = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    digest = (await operator.until(at(commit)))["artifact"]["digest"]
    operator.server.client.delete(operator.bundle())
    operator.caches.remove(operator.key)
    operator.context.enqueue(operator.key)
    await until(lambda: not operator.store.has(digest))


async def test_a_young_artifact_is_not_swept(operator: Operator, git_server: GitServer, repository: Repository) -> None:
    await sweeping_at_once(operator, sweep_min_age=3600)
    with operator.store.work_dir() as work:
        (work / "a").write_text("x")
        digest = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
        operator.store.adopt(work / "a", digest)
    commit = repository.commit({"bot.py": "1"})
    operator.apply(spec(git_server, repository))
    await operator.until(at(commit))
    git_server.forget()
    await until(lambda: git_server.packs >= 2)
    assert operator.store.has(digest)


async def sweeping_at_once(operator: Operator, *, sweep_min_age: float = -1) -> None:
    """Start anew with a sweep at every look."""
    await operator.stop()
    operator.sweeping = {"sweep_interval": 0.1, "sweep_min_age": sweep_min_age}
    operator.start()


async def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def test_sources_of_every_kind_follow_each_other(
    operator: Operator, git_server: GitServer, repository: Repository, tmp_path: Path
) -> None:
    files = {"bot.py": "1"}
    operator.apply({"inline": {"files": files}, "interval": "1h"})
    status = await operator.until(lambda status: "artifact" in status)
    assert status["artifact"]["revision"].startswith("inline@sha256:")
    inline = status["artifact"]["digest"]
    with serve_files() as server:
        server.files["bot.py"] = b"1"
        operator.apply({"archive": {"url": server.url("bot.py")}, "interval": "1h"})
        status = await operator.until(lambda status: status["artifact"]["revision"].startswith("bot.py@sha256:"))
    assert status["artifact"]["digest"] == inline
    make_key(tmp_path / "key")
    signers = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "signers", "namespace": operator.namespace},
        "stringData": {"nora.pub": public_key(tmp_path / "key")},
    }
    operator.caches.put("Secret", operator.server.client.apply(signers))
    commit = repository.commit({"bot.py": "2"})
    repository.tag("v1.0.0", commit)
    git = {"url": git_server.url(repository), "ref": {"semver": "1.x"}}
    verify = {"mode": "HEAD", "secretRef": {"name": "signers"}}
    operator.apply({"git": {**git, "verify": verify}, "interval": "1h"})
    status = await operator.until(reason("Verified", "NotSigned"))
    assert reason("Stalled", "NotSigned")(status)
    assert status["artifact"]["digest"] == inline
    operator.apply({"git": git, "interval": "1h"})
    status = await operator.until(at(commit))
    assert status["artifact"]["revision"] == f"v1.0.0@sha1:{commit}"
    assert find(status["conditions"], "Verified") is None
