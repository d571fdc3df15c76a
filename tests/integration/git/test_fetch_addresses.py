"""Where names of git servers may lead, and that git stays with what they led to."""

import socket
from typing import Any

import pytest

from botyard_operator.fetch import Credentials, FetchError, Reason
from botyard_operator.fetch.addresses import pinned_addresses
from botyard_operator.fetch.url import parse_git_url
from tests.integration.git.content import FetchHere
from tests.integration.git.server import GitServer

NAME = "git.example.invalid"


def resolving_to(*addresses: str) -> Any:
    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        assert host == NAME
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, port)) for each in addresses]

    return resolve


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254"])
def test_a_name_that_leads_to_the_machines_own_services_is_refused(
    address: str, git_server: GitServer, fetch_here: FetchHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("203.0.113.7", address))
    with pytest.raises(FetchError) as refused:
        fetch_here(git_server.url("bots.git", host=NAME))
    assert (refused.value.reason, refused.value.retryable) == (Reason.URL_INVALID, False)
    assert git_server.requests == []


def test_git_goes_where_the_name_led_when_it_was_judged(
    git_server: GitServer, fetch_here: FetchHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_server.repository().commit({"bot.py": "1"})
    # Nobody else resolves this name: git got there by the answer that was held for it.
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("127.0.0.1"))
    assert fetch_here(git_server.url("bots.git", host=NAME)).outcome == "fetched"


def test_a_proxy_resolves_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("2001:db8::1", "203.0.113.7"))
    url = parse_git_url(f"https://{NAME}/bots.git", protocols=("https",))
    assert pinned_addresses(url, Credentials()) == f"{NAME}:443:[2001:db8::1],203.0.113.7"
    assert pinned_addresses(url, Credentials(proxy="http://proxy:3128")) == ""
