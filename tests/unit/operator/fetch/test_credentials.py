"""Credentials out of Secrets."""

import traceback

import pytest

from botyard_operator.fetch.credentials import credentials_from_secret
from botyard_operator.fetch.environment import authorization, git_environment, secrets_of
from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.request import Credentials
from botyard_operator.fetch.url import parse_git_url


def test_username_and_password_become_a_basic_header() -> None:
    credentials = credentials_from_secret({"username": b"nora", "password": b"pw\n"}, secret="shop/git")
    assert authorization(credentials) == "Basic bm9yYTpwdw=="
    assert set(secrets_of(credentials)) == {"bm9yYTpwdw==", "pw"}


def test_a_bearer_token_becomes_a_bearer_header() -> None:
    assert authorization(credentials_from_secret({"bearerToken": b"t"}, secret="shop/git")) == "Bearer t"


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({}, "username and password, or bearerToken, or ca.crt, or proxy"),
        ({"passwort": b"x"}, "username and password, or bearerToken, or ca.crt, or proxy"),
        ({"bearerToken": b"\n"}, "username and password, or bearerToken, or ca.crt, or proxy"),
        ({"username": b"x"}, "password beside its username"),
        ({"password": b"x", "username": b""}, "username beside its password"),
    ],
)
def test_an_entry_that_is_missing_is_named(data: dict[str, bytes], names: str) -> None:
    with pytest.raises(FetchError, match="Secret shop/git of spec") as caught:
        credentials_from_secret(data, secret="shop/git")
    assert caught.value.reason == Reason.SECRET_KEY_MISSING
    assert names in caught.value.message
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "data",
    [
        {"username": b"a", "password": b"b", "bearerToken": b"c"},
        {"username": b"a:b", "password": b"c"},
        {"bearerToken": b"a\r\nX-Evil: 1"},
        {"bearerToken": b"hunter2\xff"},
        {"ca.crt": b"hunter2"},
    ],
)
def test_what_cannot_be_used_is_refused_by_name_without_being_shown(data: dict[str, bytes]) -> None:
    with pytest.raises(FetchError, match="Secret shop/git") as caught:
        credentials_from_secret(data, secret="shop/git")
    assert caught.value.reason == Reason.CREDENTIALS_INVALID
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_credentials_are_in_no_repr() -> None:
    assert "hunter2" not in repr(Credentials(username="u", password="hunter2", bearer_token="hunter2"))


def test_the_header_goes_to_the_origin_of_the_url_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    env = git_environment(
        parse_git_url("https://git.example.com:8443/a/b.git", protocols=("https",)),
        home=tmp_path_factory.mktemp("home"),
        protocols=("https",),
        credentials=Credentials(bearer_token="t"),
    )
    config = {env[f"GIT_CONFIG_KEY_{n}"]: env[f"GIT_CONFIG_VALUE_{n}"] for n in range(int(env["GIT_CONFIG_COUNT"]))}
    assert config["http.https://git.example.com:8443/.extraHeader"] == "Authorization: Bearer t"
    assert config["protocol.allow"] == "never"
    assert config["http.followRedirects"] == "false"


KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n"


def test_ssh_takes_its_own_entries_and_leaves_those_of_http_alone() -> None:
    data = {"identity": KEY, "known_hosts": b"host ssh-ed25519 AAAA\r\n", "password": b"pw", "bearerToken": b"t"}
    credentials = credentials_from_secret(data, secret="shop/git", ssh=True)
    assert credentials == Credentials(identity=KEY.decode(), known_hosts="host ssh-ed25519 AAAA\n", passphrase="pw")
    assert "pw" in secrets_of(credentials)
    assert "hunter2" not in repr(credentials)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"known_hosts": b"host ssh-ed25519 AAAA"}, Reason.SECRET_KEY_MISSING),
        ({"identity": KEY}, Reason.SECRET_KEY_MISSING),
        ({"identity": b"ssh-ed25519 hunter2", "known_hosts": b"host ssh-ed25519 AAAA"}, Reason.CREDENTIALS_INVALID),
        ({"identity": KEY, "known_hosts": b"hunter2"}, Reason.CREDENTIALS_INVALID),
    ],
)
def test_ssh_without_a_key_or_hosts_is_refused(data: dict[str, bytes], reason: Reason) -> None:
    with pytest.raises(FetchError, match="Secret shop/git") as caught:
        credentials_from_secret(data, secret="shop/git", ssh=True)
    assert caught.value.reason == reason
    assert "hunter2" not in caught.value.message
