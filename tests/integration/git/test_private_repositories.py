"""Bundles of private repositories: a real operator process, API server and git servers.

Every test ends with the same question: did anything of a credential get into status, Events or logs?
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.apiserver.server import ApiServer
from tests.integration.git.server import Certificate, GitServer, serve
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import Object, World

USER = "nora"
PASSWORD = "s3cret/pass word+1"
WRONG = "wr0ng/pass word+1"
TOKEN = "tok-1234567890"
FILES = {"bot.py": "1"}


class Private(World):
    """One namespace with a Bundle `repairs` whose Secret is `git`."""

    def bundle_of(self, url: str, **spec: Any) -> None:
        git = {"url": url, "secretRef": {"name": "git"}}
        self.create("Bundle", "repairs", spec={"git": git, "interval": "1h", **spec})

    def secret(self, **entries: str) -> None:
        self.create("Secret", "git", stringData=entries)

    def change_secret(self, **entries: str | None) -> None:
        data = {name: value and base64.b64encode(value.encode()).decode() for name, value in entries.items()}
        self.patch("Secret", "git", {"data": data})

    def await_revision(self, commit: str) -> Object:
        def there() -> Object | None:
            status: Object = (self.get("Bundle", "repairs") or {}).get("status") or {}
            return status if status.get("artifact", {}).get("revision") == f"main@sha1:{commit}" else None

        return eventually(there, f"the Bundle is at {commit}", seconds=120)

    def stalled(self, reason: str) -> str:
        return str(self.await_condition("Bundle", "repairs", "Stalled", "True", reason)["message"])

    def ready(self) -> str:
        condition = self.condition("Bundle", "repairs", "Ready")
        assert condition is not None
        return str(condition["status"])

    def events(self) -> list[Object]:
        items: list[Object] = self.client.request("GET", f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return items


def forms_of(secret: str) -> set[str]:
    """Return a secret in every form in which it could show up."""
    pairs = {f"{USER}:{secret}", secret}
    encoded = {base64.b64encode(text.encode()).decode() for text in pairs}
    return {secret, quote(secret), quote(secret, safe=""), *encoded}


@pytest.fixture
def world(apiserver: ApiServer, namespace: str, operator_process: OperatorProcess) -> Iterator[Private]:
    world = Private(apiserver, namespace)
    yield world
    status, events, logged = (
        json.dumps(world.get("Bundle", "repairs")),
        world.events(),
        operator_process.log.read_text(),
    )
    assert "conditions" in status
    assert events
    assert "fetch of http" in logged, "the log is that of a debugging operator"
    for secret in (PASSWORD, WRONG, TOKEN):
        for form in forms_of(secret):
            assert form not in status
            assert form not in json.dumps(events)
            assert form not in logged


@pytest.fixture
def private(git_server: GitServer) -> GitServer:
    git_server.username, git_server.password = USER, PASSWORD
    return git_server


def test_username_and_password_open_a_repository(world: Private, private: GitServer) -> None:
    repository = private.repository()
    commit = repository.commit(FILES)
    world.secret(username=USER, password=PASSWORD)
    world.bundle_of(private.url(repository))
    world.await_revision(commit)


def test_a_bearer_token_opens_a_repository(world: Private, git_server: GitServer) -> None:
    repository = git_server.repository()
    commit = repository.commit(FILES)
    git_server.bearer = TOKEN
    world.secret(bearerToken=TOKEN)
    world.bundle_of(git_server.url(repository))
    world.await_revision(commit)


def test_a_wrong_password_is_told_and_a_changed_secret_fetches_at_once(world: Private, private: GitServer) -> None:
    repository = private.repository()
    commit = repository.commit(FILES)
    world.secret(username=USER, password=WRONG)
    world.bundle_of(private.url(repository))
    assert "spec.git.secretRef" in world.stalled("AuthenticationFailed")
    assert world.ready() == "False"
    world.change_secret(password=PASSWORD)
    world.await_revision(commit)
    world.await_condition("Bundle", "repairs", "Stalled", None)


def test_a_secret_that_stops_working_leaves_the_last_revision_ready(world: Private, private: GitServer) -> None:
    repository = private.repository()
    commit = repository.commit(FILES)
    world.secret(username=USER, password=PASSWORD)
    world.bundle_of(private.url(repository))
    world.await_revision(commit)
    world.change_secret(password=WRONG)
    world.stalled("AuthenticationFailed")
    assert world.ready() == "True"
    assert world.await_revision(commit)


def test_a_missing_secret_is_named_and_heals_when_it_appears(world: Private, private: GitServer) -> None:
    repository = private.repository()
    commit = repository.commit(FILES)
    world.bundle_of(private.url(repository))
    assert f"Secret {world.namespace}/git " in world.stalled("SecretNotFound")
    assert private.requests == []
    world.secret(username=USER, password=PASSWORD)
    world.await_revision(commit)
    world.await_condition("Bundle", "repairs", "Stalled", None)
    world.delete("Secret", "git")
    world.stalled("SecretNotFound")
    assert world.ready() == "True"
    newer = repository.commit({"bot.py": "2"})
    world.secret(username=USER, password=PASSWORD)
    world.await_revision(newer)


def test_a_missing_entry_is_named_and_heals_when_it_appears(world: Private, private: GitServer) -> None:
    repository = private.repository()
    commit = repository.commit(FILES)
    world.secret(username=USER)
    world.bundle_of(private.url(repository))
    message = world.stalled("SecretKeyMissing")
    assert f"Secret {world.namespace}/git " in message
    assert "password" in message
    world.change_secret(password=PASSWORD)
    world.await_revision(commit)
    world.change_secret(username=None, password=None)
    assert "bearerToken" in world.stalled("SecretKeyMissing")


def test_a_private_authority_is_trusted_for_its_bundle_only(world: Private, tmp_path: Path) -> None:
    certificate = Certificate.create(tmp_path)
    root = tmp_path / "tls"
    root.mkdir()
    with serve(root, certificate=certificate, username=USER, password=PASSWORD) as server:
        repository = server.repository()
        commit = repository.commit(FILES)
        assert server.url(repository).startswith("https://")
        world.secret(username=USER, password=PASSWORD)
        world.bundle_of(server.url(repository))
        assert "ca.crt" in world.stalled("CertificateInvalid")
        assert server.authorizations == [], "credentials go to nobody who is not trusted"
        world.change_secret(**{"ca.crt": "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"})
        assert "ca.crt" in world.stalled("CredentialsInvalid")
        world.change_secret(**{"ca.crt": certificate.authority.read_text()})
        world.await_revision(commit)


def test_a_known_commit_is_not_handed_to_a_bundle_that_may_not_read_it(world: Private, private: GitServer) -> None:
    repository = private.repository()
    commit = repository.commit(FILES)
    world.secret(username=USER, password=PASSWORD)
    git = {"url": private.url(repository), "ref": {"commit": commit}, "secretRef": {"name": "git"}}
    world.create("Bundle", "repairs", spec={"git": git})
    world.await_condition("Bundle", "repairs", "Ready", "True")
    # The same source without credentials, as a stranger who learned the commit's id would write it.
    del git["secretRef"]
    world.create("Bundle", "stranger", spec={"git": git})
    world.await_condition("Bundle", "stranger", "Stalled", "True", "AuthenticationFailed")
