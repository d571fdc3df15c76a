"""Where looks over HTTP do not go."""

import socket
from typing import Any

import pytest

from botyard_operator.fetch import Credentials, FetchError, Reason
from botyard_operator.fetch.http_listing import HttpRefLister
from botyard_operator.fetch.url import parse_git_url


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254"])
async def test_a_name_that_leads_to_the_machines_own_services_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(family, socket.SOCK_STREAM, 6, "", (address, 80, *((0, 0) if ":" in address else ())))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = parse_git_url("http://innocent.example.com/bots.git", protocols=("http",))
    lister = HttpRefLister()
    with pytest.raises(FetchError) as refused:
        await lister.list(url, ["refs/heads/main"], credentials=Credentials(), timeout_seconds=60)
    await lister.close()
    assert refused.value.reason == Reason.URL_INVALID
    assert "machine's own services" in refused.value.message


@pytest.mark.parametrize("url", ["ssh://git@git.example.com/bots.git", "git@git.example.com:bots.git"])
async def test_ssh_is_for_git_to_ask(url: str) -> None:
    parsed = parse_git_url(url, protocols=("ssh",))
    assert await HttpRefLister().list(parsed, ["refs/heads/main"], credentials=Credentials(), timeout_seconds=1) is None
