"""Private repositories over SSH: a real server, real keys, and only the hosts that the Secret vouches for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from botyard_operator.fetch import Credentials, FetchError, Reason
from botyard_operator.fetch.listing import RefLister
from botyard_operator.fetch.runner import FetchSettings
from botyard_operator.fetch.url import parse_git_url
from tests.integration.git.conftest import Fetch
from tests.integration.git.server import Repository
from tests.integration.git.ssh import SshServer, make_key, public_key, serve_ssh

PASSPHRASE = "correct horse"


class Forge:
    """One private repository and the key that opens it."""

    def __init__(self, server: SshServer, repository: Repository, key: Path) -> None:
        self.server, self.repository, self.key = server, repository, key
        self.url = server.url(repository.name)

    def credentials(self, **changes: str) -> Credentials:
        good = {"identity": self.key.read_text(), "known_hosts": self.server.known_hosts}
        return Credentials(**(good | changes))


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    root = tmp_path / "repositories"
    root.mkdir()
    key = tmp_path / "deploy"
    make_key(key)
    with serve_ssh(root, tmp_path) as server:
        server.authorize(key)
        repository = Repository.create(root, "bots.git")
        repository.commit({"bot.py": "1"})
        yield Forge(server, repository, key)


async def test_a_key_opens_a_repository_and_looks_at_it(forge: Forge, fetch: Fetch, tmp_path: Path) -> None:
    head = forge.repository.commit({"bot.py": "2"})
    result = await fetch(forge.url, credentials=forge.credentials())
    assert (result.outcome, result.commit) == ("fetched", head)
    folder = tmp_path / "look"
    folder.mkdir()
    found = await RefLister(FetchSettings()).list(
        parse_git_url(forge.url, protocols=("ssh",)),
        ["refs/heads/main"],
        folder,
        protocols=("ssh",),
        credentials=forge.credentials(),
        timeout_seconds=60,
    )
    assert found == {"refs/heads/main": head}


async def test_an_encrypted_key_opens_it_with_its_passphrase_only(forge: Forge, fetch: Fetch, tmp_path: Path) -> None:
    key = tmp_path / "locked"
    identity = make_key(key, passphrase=PASSPHRASE)
    forge.server.authorize(key)
    result = await fetch(forge.url, credentials=forge.credentials(identity=identity, passphrase=PASSPHRASE))
    assert result.outcome == "fetched"
    with pytest.raises(FetchError) as caught:
        await fetch(forge.url, credentials=forge.credentials(identity=identity, passphrase="wrong horse"))
    assert caught.value.reason == Reason.CREDENTIALS_INVALID
    assert "passphrase" in caught.value.message
    assert "wrong horse" not in caught.value.message


async def test_a_revoked_key_is_told(forge: Forge, fetch: Fetch) -> None:
    await fetch(forge.url, credentials=forge.credentials())
    forge.server.authorize()
    with pytest.raises(FetchError) as caught:
        await fetch(forge.url, credentials=forge.credentials())
    assert caught.value.reason == Reason.AUTHENTICATION_FAILED
    assert "spec.git.secretRef" in caught.value.message


async def test_a_changed_host_key_is_refused(forge: Forge, fetch: Fetch, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    line = f"[{forge.server.address}]:{forge.server.port} {public_key(tmp_path / 'other')}"
    with pytest.raises(FetchError) as caught:
        await fetch(forge.url, credentials=forge.credentials(known_hosts=line))
    assert caught.value.reason == Reason.HOST_KEY_CHANGED


async def test_a_host_that_nobody_vouches_for_is_refused(forge: Forge, fetch: Fetch, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    line = f"git.example.com {public_key(tmp_path / 'other')}"
    with pytest.raises(FetchError) as caught:
        await fetch(forge.url, credentials=forge.credentials(known_hosts=line))
    assert caught.value.reason == Reason.HOST_KEY_UNKNOWN


async def test_a_repository_that_is_not_there_is_told(forge: Forge, fetch: Fetch) -> None:
    with pytest.raises(FetchError) as caught:
        await fetch(forge.server.url("nothing.git"), credentials=forge.credentials())
    assert caught.value.reason == Reason.REPOSITORY_NOT_FOUND


async def test_a_port_where_nobody_listens_is_told(forge: Forge, fetch: Fetch) -> None:
    with pytest.raises(FetchError) as caught:
        await fetch("ssh://git@127.0.0.1:1/bots.git", credentials=forge.credentials())
    assert caught.value.reason == Reason.CONNECTION_FAILED


async def test_a_host_that_does_not_resolve_is_told(forge: Forge, fetch: Fetch) -> None:
    with pytest.raises(FetchError) as caught:
        await fetch("git@nowhere.invalid:bots.git", credentials=forge.credentials())
    assert caught.value.reason == Reason.HOST_NOT_FOUND
