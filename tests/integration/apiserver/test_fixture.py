"""The server that integration tests share does what they rely on."""

import os
import time
from pathlib import Path

import pytest

from tests.integration.apiserver.binaries import BinariesMissing, find_binaries
from tests.integration.apiserver.client import Client, Refused
from tests.integration.apiserver.processes import Process, ProcessEnded, free_ports
from tests.integration.apiserver.server import ApiServer
from tests.unit.operator.api.rule_examples import manifest


def test_the_audit_log_has_a_write_as_soon_as_it_is_answered(apiserver: ApiServer, namespace: str) -> None:
    since = apiserver.now()
    bot = apiserver.client.create(manifest("Bot", {}, namespace=namespace))
    apiserver.client.patch(bot, {"status": {"observedGeneration": 1}}, subresource="status")
    apiserver.client.get(bot)
    with pytest.raises(Refused):
        apiserver.client.create(manifest("Bot", {}, namespace=namespace, name="1"))
    written = [
        (write.verb, write.resource, write.subresource, write.code)
        for write in apiserver.audit_writes(since)
        if write.namespace == namespace
    ]
    assert written == [("create", "bots", "", 201), ("patch", "bots", "status", 200), ("create", "bots", "", 422)]


def test_the_audit_log_says_who_wrote_and_whether_it_was_a_rehearsal(apiserver: ApiServer, namespace: str) -> None:
    since = apiserver.now()
    apiserver.client.create(manifest("Bundle", {}, namespace=namespace), dry_run=True)
    (write,) = [write for write in apiserver.audit_writes(since) if write.namespace == namespace]
    assert (write.user, write.user_agent, write.dry_run) == ("admin", "botyard-tests", True)
    assert [w for w in apiserver.audit_writes(apiserver.now()) if w.namespace == namespace] == []


def test_a_service_account_may_do_what_rbac_grants_and_no_more(apiserver: ApiServer, namespace: str) -> None:
    meta = {"name": "viewer", "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    apiserver.client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    apiserver.client.create(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": meta,
            "rules": [{"apiGroups": ["botyard.dev"], "resources": ["bots"], "verbs": ["list"]}],
        }
    )
    apiserver.client.create(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "viewer"},
            "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": namespace}],
        }
    )
    client = Client.from_kubeconfig(apiserver.service_account_kubeconfig(namespace, "viewer"))
    try:
        assert client.list(manifest("Bot", {}, namespace=namespace)) == []
        with pytest.raises(Refused) as caught:
            client.create(manifest("Bot", {}, namespace=namespace))
    finally:
        client.close()
    assert caught.value.code == 403


def test_each_test_has_a_namespace_of_its_own(apiserver: ApiServer, namespace: str) -> None:
    assert apiserver.client.list(manifest("Bot", {}, namespace=namespace)) == []


def test_missing_binaries_say_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTYARD_CLUSTER_BIN", str(tmp_path))
    with pytest.raises(BinariesMissing, match="make cluster-binaries"):
        find_binaries()


def test_a_server_that_ends_shows_its_last_words(tmp_path: Path) -> None:
    process = Process(["/bin/sh", "-c", "echo no such flag; exit 3"], tmp_path / "server.log")
    process.join(timeout=30)
    with pytest.raises(ProcessEnded, match=r"server ended with code 3:\nno such flag"):
        process.check()


def test_a_server_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    deaf = "trap '' TERM; mkfifo fifo; echo deaf > said; read line < fifo"
    process = Process(["/bin/sh", "-c", f"cd {tmp_path}; {deaf}"], tmp_path / "server.log")
    deadline = time.monotonic() + 30
    while not (tmp_path / "said").exists():
        assert time.monotonic() < deadline
        process.check()
    process.stop(timeout=0.3)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_free_ports_differ() -> None:
    assert len(set(free_ports(5))) == 5
