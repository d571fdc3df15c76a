"""Bundles from a push to a built revision: a real API server, real git, and Jobs whose pods this test runs."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from botyard.contract.build import BuildRequest
from botyard_operator.artifacts.build_server import BuildEndpoints
from botyard_operator.artifacts.builds import BuildRecords, LiveBuilds
from botyard_operator.artifacts.package_index import PackageIndex
from botyard_operator.artifacts.server import ArtifactServer
from botyard_operator.caches import Caches
from botyard_operator.conditions import find
from botyard_operator.kube import KubeClient, load_configuration
from botyard_operator.metrics import Metrics
from botyard_operator.reconcile.bundle import BundleReconciler
from botyard_operator.reconcile.bundle_builds import BundleBuilds
from botyard_operator.settings import Settings
from tests.integration.apiserver.server import ApiServer
from tests.integration.builds.conftest import BOT, KEY, run_pod
from tests.integration.builds.packages import Index, wheel
from tests.integration.git.reconciling import Operator, at, reason
from tests.integration.git.server import GitServer, Repository, serve

SECONDS = 240
"""A build is a dozen processes, and the machine may be busy with others."""
pytestmark = pytest.mark.timeout(900)


class BuildingOperator(Operator):
    """An operator that builds; what its Jobs ask for runs here."""

    def start(self) -> None:
        """Begin as a new process does."""
        super().start()
        self.live: LiveBuilds = {}
        records = BuildRecords(self.store)
        self.reconciler = BundleReconciler(self.jobs, self.store, builds=BundleBuilds(records, self.live))
        self.artifacts = ArtifactServer(
            self.store,
            key=KEY,
            further=(
                BuildEndpoints(self.store, records, self.live, key=KEY, max_layer_bytes=1 << 30),
                PackageIndex(self.live, key=KEY, allow_loopback=True),
            ),
        )
        self.pods: dict[str, asyncio.Task[Any]] = {}
        self.run_pods = True

    async def serve(self, **settings: Any) -> None:
        """Open the artifact server, and begin to run Jobs."""
        port = await self.artifacts.start(0, "127.0.0.1")
        configured = Settings(artifact_base_url=f"http://127.0.0.1:{port}", artifact_key=KEY, builds=True, **settings)
        self.context = replace(self.context, settings=configured)
        self._kubelet = asyncio.create_task(self._run_jobs())

    async def stop(self) -> None:
        """End everything."""
        self._kubelet.cancel()
        await asyncio.gather(self._kubelet, *self.pods.values(), return_exceptions=True)
        await super().stop()
        await self.artifacts.stop()

    def list_jobs(self) -> list[dict[str, Any]]:
        """Return the Jobs of the namespace."""
        path = f"/apis/batch/v1/namespaces/{self.namespace}/jobs"
        items: list[dict[str, Any]] = self.server.client.request("GET", path)["items"]
        return items

    def secret(self) -> dict[str, str]:
        """Return the tokens that the build's pods mount."""
        found = self.server.client.request("GET", f"/api/v1/namespaces/{self.namespace}/secrets/repairs-build")
        return {name: base64.b64decode(value).decode() for name, value in found["data"].items()}

    async def _run_jobs(self) -> None:
        while True:
            for job in await asyncio.to_thread(self.list_jobs):
                uid = job["metadata"]["uid"]
                if uid not in self.pods and self.run_pods:
                    environment = job["spec"]["template"]["spec"]["containers"][0]["env"]
                    request = BuildRequest.model_validate_json(environment[0]["value"])
                    tokens = await asyncio.to_thread(self.secret)
                    self.pods[uid] = asyncio.create_task(
                        run_pod(
                            request,
                            self.root.parent / f"pod-{uid}",
                            source_token=tokens["artifact-token"],
                            build_token=tokens["build-token"],
                            index_url=tokens["index-url"],
                        )
                    )
            await asyncio.sleep(0.1)


@pytest.fixture
async def operator(
    apiserver: ApiServer, namespace: str, tmp_path: Path, index: Index
) -> AsyncIterator[BuildingOperator]:
    caches = Caches()
    kube = KubeClient(await load_configuration(str(apiserver.kubeconfig)), caches, Metrics())
    operator = BuildingOperator(apiserver, namespace, tmp_path / "store", kube, caches)
    await operator.serve(package_index=index.url)
    yield operator
    await operator.stop()
    await kube.close()


@pytest.fixture
def repository(tmp_path: Path) -> Any:
    root = tmp_path / "repositories"
    root.mkdir()
    with serve(root) as server:
        repository = server.repository()
        repository.server = server  # type: ignore[attr-defined]
        yield repository


def spec(repository: Repository, **fields: Any) -> dict[str, Any]:
    server: GitServer = repository.server  # type: ignore[attr-defined]
    return {"git": {"url": server.url(repository)}, "interval": "1s", **fields}


async def test_a_revision_is_ready_once_it_is_built_and_inspected(
    operator: BuildingOperator, repository: Repository, index: Index
) -> None:
    index.add(wheel("units", "2.1"))
    commit = repository.commit({"bot.py": "import units\n" + BOT, "requirements.txt": "units\n"})
    operator.apply(spec(repository, dependencies={"requirements": ["requirements.txt"]}))
    status = await operator.until(at(commit), SECONDS)
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Ready": "True",
        "Fetched": "True",
        "Built": "True",
        "Inspected": "True",
        "ArtifactInStorage": "True",
    }
    assert status["manifest"]["name"] == "Counter"
    assert status["manifest"]["states"] == ["zero", "listen", "answer"]
    assert operator.store.has(status["layer"]["digest"])
    assert status["history"][0]["layer"]["digest"] == status["layer"]["digest"]
    path = f"/api/v1/namespaces/{operator.namespace}/configmaps/repairs-manifest"
    published = operator.server.client.request("GET", path)["data"]
    assert "Counter" in published["manifest.json"]
    (machine,) = json.loads(published["machines.json"]).values()
    assert machine["states"] == ["zero", "listen", "answer"]
    pod = operator.list_jobs()[0]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    # From here on a steady state: no write, no further Job.
    version = operator.bundle()["metadata"]["resourceVersion"]
    passes = operator.passes
    while operator.passes < passes + 3:
        await asyncio.sleep(0.05)
    assert operator.bundle()["metadata"]["resourceVersion"] == version
    assert len(operator.list_jobs()) == 1


async def test_a_revision_that_cannot_be_imported_leaves_the_last_good_one(
    operator: BuildingOperator, repository: Repository
) -> None:
    good = repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    await operator.until(at(good), SECONDS)
    repository.commit({"bot.py": "import nowhere\n" + BOT})
    status = await operator.until(reason("Inspected", "ImportFailed"), SECONDS)
    assert at(good)(status)
    ready = find(status["conditions"], "Ready") or {}
    assert ready["status"] == "True"
    assert "what is newer is not" in ready["message"]
    assert (find(status["conditions"], "Stalled") or {})["reason"] == "ImportFailed"
    better = repository.commit({"bot.py": BOT + "\n# better\n"})
    status = await operator.until(at(better), SECONDS)
    path = f"/api/v1/namespaces/{operator.namespace}/configmaps/repairs-manifest"
    machines = json.loads(operator.server.client.request("GET", path)["data"]["machines.json"])
    assert list(machines) == sorted(kept["digest"] for kept in status["history"])
    assert find(status["conditions"], "Stalled") is None


async def test_an_operator_that_is_killed_while_a_build_runs_takes_it_up_again(
    operator: BuildingOperator, repository: Repository
) -> None:
    operator.run_pods = False
    commit = repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    await operator.until(reason("Built", "Progressing"), SECONDS)
    while not operator.list_jobs():
        await asyncio.sleep(0.05)
    (before,) = operator.list_jobs()
    operator.reconciler = BundleReconciler(
        operator.jobs, operator.store, builds=BundleBuilds(BuildRecords(operator.store), operator.live)
    )
    operator.live.clear()
    operator.run_pods = True
    await operator.until(at(commit), SECONDS)
    assert [job["metadata"]["uid"] for job in operator.list_jobs()] == [before["metadata"]["uid"]]


async def test_a_missing_secret_of_the_index_is_told_and_healed(
    operator: BuildingOperator, repository: Repository, index: Index
) -> None:
    repository.commit({"bot.py": BOT, "requirements.txt": "units\n"})
    operator.apply(
        spec(repository, dependencies={"requirements": ["requirements.txt"], "indexSecretRef": {"name": "pypi"}})
    )
    status = await operator.until(reason("Built", "IndexSecretInvalid"), SECONDS)
    assert "Secret" in (find(status["conditions"], "Stalled") or {})["message"]
    assert operator.list_jobs() == []
