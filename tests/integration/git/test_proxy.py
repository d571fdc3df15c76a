"""Ways out through a real forward proxy: of the Secret, and of the operator's environment."""

from pathlib import Path

import pytest

from botyard_operator.fetch import Credentials, Reason, Ref
from tests.integration.git.files import serve_files
from tests.integration.git.forward_proxy import forward_proxy
from tests.integration.git.server import Certificate, GitServer, serve
from tests.integration.git.test_polling import Poller, poller

__all__ = ["poller"]

PASSWORD = "way-out-7731"


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_fetches_and_looks_go_through_the_proxy_of_the_secret(
    poller: Poller, tmp_path: Path, encrypted: bool
) -> None:
    (tmp_path / "repositories").mkdir()
    certificate = Certificate.create(tmp_path) if encrypted else None
    authority = certificate.authority.read_text() if certificate else ""
    with (
        serve(tmp_path / "repositories", certificate=certificate) as server,
        forward_proxy(tmp_path / "proxy", user="nora", password=PASSWORD) as proxy,
    ):
        repository = server.repository()
        repository.commit({"bot.py": "1"})
        url = server.url(repository)
        credentials = Credentials(ca_certificate=authority, proxy=proxy.url)
        await poller.good(url, credentials=credentials)
        fetched = len(proxy.connections())
        assert fetched
        await poller.good(url, credentials=credentials)
        assert poller.fetcher.fetches == 1
        looked = proxy.connections()[fetched:]
        assert looked, "the look goes through it too"
        host = url.split("/")[2]
        assert all(host in each for each in proxy.connections())
        assert all(each.startswith("CONNECT") for each in looked) is encrypted
        commit = repository.commit({"bot.py": "2"})
        assert (await poller.good(url, credentials=credentials)).commit == commit


async def test_a_proxy_that_refuses_is_told_without_its_password(poller: Poller, tmp_path: Path) -> None:
    (tmp_path / "repositories").mkdir()
    certificate = Certificate.create(tmp_path)
    authority = certificate.authority.read_text()
    with serve(tmp_path / "repositories", certificate=certificate) as server:
        repository = server.repository()
        repository.commit({"bot.py": "1"})
        url = server.url(repository)
        with forward_proxy(tmp_path / "proxy", user="nora", password=PASSWORD) as proxy:
            wrong = proxy.url.replace(PASSWORD, "wrong-8812")
            error = await poller.bad(url, credentials=Credentials(ca_certificate=authority, proxy=wrong))
            assert error.reason == Reason.AUTHENTICATION_FAILED, error.message
            assert "wrong-8812" not in error.message
            assert server.requests == []
            right = Credentials(ca_certificate=authority, proxy=proxy.url)
            assert (await poller.good(url, credentials=right)).commit
        error = await poller.bad(url, tag="2", credentials=right)
        assert (error.reason, error.retryable) == (Reason.CONNECTION_FAILED, True)
        assert PASSWORD not in error.message


async def test_the_proxy_of_the_environment_is_used_except_where_it_says_no(
    poller: Poller, git_server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = git_server.repository()
    repository.commit({"bot.py": "1"})
    with forward_proxy(tmp_path / "proxy") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        for _ in range(2):
            await poller.good(git_server.url(repository))
        through = len(proxy.connections())
        assert through >= 2
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        for _ in range(2):
            await poller.good(git_server.url(repository), path="", tag="3")
        assert len(proxy.connections()) == through


async def test_archives_go_through_the_proxy_of_the_secret(poller: Poller, tmp_path: Path) -> None:
    with serve_files() as files, forward_proxy(tmp_path / "proxy", user="nora", password=PASSWORD) as proxy:
        files.files["bot.py"] = b"print(1)"
        ref = Ref(kind="archive", name="bot.py")
        await poller.good(files.url("bot.py"), ref=ref, credentials=Credentials(proxy=proxy.url))
        assert any("/bot.py" in each for each in proxy.connections())
