"""One real cluster and one installation for the whole session, a namespace of its own for each test."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from demo import installation, repository
from demo.commands import DemoError
from demo.kubectl import Kubectl
from demo.story import SYSTEM_NAMESPACE, load_images, state_folder, tools
from localcluster.layout import NODE_IP
from tests.cluster.audit import AuditLog
from tests.cluster.spaces import Space, System
from tests.integration.s3.server import BUCKET, S3Server

SPACES = pytest.StashKey[int]()
"""How many namespaces the session needs: the operator gets a Role in each, so they exist before it does."""
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted", "botyard.dev/tests": "true"}
HERE = Path(__file__).parent
OPERATOR = installation.OPERATOR_SELECTOR


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    alone, modules = 0, set()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(600))
            names = getattr(item, "fixturenames", ())
            alone += "space" in names
            if not {"shared", "desk"}.isdisjoint(names):
                modules.add(item.path)
    config.stash[SPACES] = alone + len(modules)


@pytest.fixture(scope="session")
def cluster() -> tuple[Kubectl, str]:
    """kubectl for the cluster in use, and helm."""
    try:
        return tools()
    except DemoError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def _paused(cluster: tuple[Kubectl, str]) -> Iterator[None]:
    """Other operators that serve the whole cluster are stopped meanwhile: two would fight over the tests' objects."""
    kubectl, _ = cluster
    found = [
        (item["metadata"]["namespace"], item["spec"]["replicas"])
        for item in kubectl.items("deployments", "", OPERATOR)
        if item["spec"]["replicas"] and "BOTYARD_NAMESPACES" not in str(item["spec"]["template"])
    ]
    local = not os.environ.get("KUBECONFIG") or (state_folder() / "kubeconfig") == Path(os.environ["KUBECONFIG"])
    if found and not local:
        pytest.fail(f"Botyard in {found[0][0]} serves the whole cluster; the tests need it stopped.", pytrace=False)
    try:
        for namespace, _ in found:
            kubectl("-n", namespace, "scale", "deployment/botyard-operator", "--replicas=0")
            kubectl("-n", namespace, "wait", "pod", "--for=delete", "-l", OPERATOR, "--timeout=60s", seconds=70)
        yield
    finally:
        for namespace, replicas in found:
            kubectl("-n", namespace, "scale", "deployment/botyard-operator", f"--replicas={replicas}")


@pytest.fixture(scope="session")
def _session() -> str:
    return secrets.token_hex(2)


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server | None]:
    """A bucket that pods reach, for accounting; None where the nodes are other machines."""
    if not (state_folder() / "audit.log").exists():
        yield None
        return
    server = S3Server(tmp_path_factory.mktemp("accounts"), host=NODE_IP)
    server.start()
    yield server
    server.stop()


def _gateway(kubectl: Kubectl, namespace: str, accounts: S3Server | None) -> dict[str, Any]:
    """Return the gateway's values: two replicas, and accounting where there is a bucket."""
    values: dict[str, Any] = {"replicas": 2, "chat": {"limits": {"registered": "600/100"}}}
    if accounts is not None:
        keys = {"AWS_ACCESS_KEY_ID": accounts.access_key, "AWS_SECRET_ACCESS_KEY": accounts.secret_key}
        metadata = {"name": "accounts", "namespace": namespace}
        data = {**keys, "AWS_ENDPOINT_URL": accounts.endpoint}
        kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
        values["accounting"] = {"storage": f"s3://{BUCKET}", "secret": "accounts"}
    return values


@pytest.fixture(scope="session")
def system(
    cluster: tuple[Kubectl, str],
    _paused: None,
    _session: str,
    accounts: S3Server | None,
    pytestconfig: pytest.Config,
) -> Iterator[System]:
    """The charts, installed from this checkout into a namespace of the session."""
    kubectl, helm = cluster
    namespace = f"botyard-test-{_session}"
    spaces = [f"{namespace}-{number}" for number in range(pytestconfig.stash[SPACES])]
    images = load_images()
    with ExitStack() as stack:
        for name in (namespace, *spaces):
            kubectl.ensure_namespace(name, RESTRICTED)
            stack.callback(kubectl, "delete", "namespace", name, "--wait=false", "--ignore-not-found")
        installation.install(kubectl, helm, installation.crds(), SYSTEM_NAMESPACE)
        gateway = _gateway(kubectl, namespace, accounts)
        release = installation.botyard(images, namespaces=spaces, userRoles={"create": False}, gateway=gateway)
        stack.callback(installation.uninstall, kubectl, helm, release.name, namespace)
        installation.install(kubectl, helm, release, namespace)
        git_image = f"{images['git-server']['repository']}:{images['git-server']['tag']}"
        repository.serve(kubectl, git_image, [f"{name}.git" for name in spaces], namespace=namespace)
        yield System(
            kubectl=kubectl,
            namespace=namespace,
            gateway=stack.enter_context(kubectl.forwarded(namespace, "service/botyard-gateway", 8080)),
            git=stack.enter_context(kubectl.forwarded(namespace, "service/git", 80)),
            runtime_image=f"{images['runtime']['repository']}:{images['runtime']['tag']}",
        )


@pytest.fixture(scope="session")
def _free(system: System, pytestconfig: pytest.Config) -> Iterator[str]:
    return iter([f"{system.namespace}-{number}" for number in range(pytestconfig.stash[SPACES])])


@pytest.fixture
def space(system: System, _free: Iterator[str], tmp_path: Path) -> Space:
    """A fresh namespace and repository for one test."""
    return Space(system, next(_free), tmp_path)


@pytest.fixture(scope="module")
def shared(system: System, _free: Iterator[str], tmp_path_factory: pytest.TempPathFactory) -> Space:
    """A namespace for the tests of a module that only look, with a Ready Bundle, Bot and Persona."""
    from tests.cluster.bots import counter

    space = Space(system, next(_free), tmp_path_factory.mktemp("repository"))
    space.push(counter("v1"))
    space.bundle()
    space.bot()
    space.apply("Persona", "nora", {"botRef": {"name": "counter"}, "displayName": "Nora"})
    space.ready("bundle/counter", "bot/counter", "persona/nora")
    return space


@pytest.fixture(scope="module")
def desk(system: System, _free: Iterator[str], tmp_path_factory: pytest.TempPathFactory) -> Space:
    """A namespace whose default Bot is a workflow with quotas."""
    from tests.cluster.bots import workflow_desk

    space = Space(system, next(_free), tmp_path_factory.mktemp("repository"))
    space.push(workflow_desk())
    space.bundle("desk", path="desk")
    space.bot("desk", bundle="desk", default=True)
    space.ready("bundle/desk", "bot/desk")
    return space


@pytest.fixture(scope="session")
def audit(cluster: tuple[Kubectl, str]) -> AuditLog:
    """The audit log of the local cluster."""
    path = state_folder() / "audit.log"
    if not path.exists():
        pytest.skip("needs the audit log of the local cluster (make cluster)")
    return AuditLog(path)
