"""Git URLs: what is understood, what is refused, what is shown."""

import pytest

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.url import parse_git_url, redact, redact_url

ALL = ("https", "http", "ssh")


@pytest.mark.parametrize(
    ("url", "protocol", "host", "clean"),
    [
        ("https://git.example.com/a/b.git", "https", "git.example.com", "https://git.example.com/a/b.git"),
        ("HTTP://Git.Example.com:8080/b", "http", "git.example.com:8080", "http://git.example.com:8080/b"),
        ("https://nora@git.example.com/b", "https", "git.example.com", "https://git.example.com/b"),
        ("http://[::1]:80/b", "http", "[::1]:80", "http://[::1]:80/b"),
        ("ssh://git@host:2222/a.git", "ssh", "host:2222", "ssh://git@host:2222/a.git"),
        ("git@host.example:team/a.git", "ssh", "host.example", "git@host.example:team/a.git"),
    ],
)
def test_urls_are_read(url: str, protocol: str, host: str, clean: str) -> None:
    read = parse_git_url(url, protocols=ALL)
    assert (read.protocol, read.host, read.clean) == (protocol, host, clean)


@pytest.mark.parametrize(
    "url",
    ["file:///etc", "git://h/x", "ext::sh -c id", "fd::17", "/etc", "../x", "transport::http://h/x", "gopher://h/x"],
)
def test_other_transports_are_refused(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        parse_git_url(url, protocols=ALL)
    assert caught.value.reason in {Reason.PROTOCOL_NOT_ALLOWED, Reason.URL_INVALID}
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "url",
    ["", "--upload-pack=touch x", "https://", "https://h/x?y", "https://h/x#y", "https://h:port/x", "https://h/a\nb"],
)
def test_what_is_no_git_url_is_refused(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        parse_git_url(url, protocols=ALL)
    assert caught.value.reason == Reason.URL_INVALID


def test_a_password_in_the_url_is_refused_without_being_shown() -> None:
    with pytest.raises(FetchError) as caught:
        parse_git_url("https://nora:hunter2@git.example.com/b", protocols=ALL)
    assert "hunter2" not in caught.value.message
    assert "secretRef" in caught.value.message


def test_redaction_covers_userinfo_and_every_form_of_a_secret() -> None:
    assert redact_url("x https://a:b@h/p and http://t@h y") == "x https://***@h/p and http://***@h y"
    assert redact("got p%40ss and p@ss", ["p@ss"]) == "got *** and ***"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest.git",
        "http://[fd00:ec2::254]/x.git",
        "ssh://git@169.254.1.1/x.git",
        "git@169.254.1.1:x",
    ],
)
def test_addresses_of_the_machines_own_services_are_refused(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        parse_git_url(url, protocols=ALL)
    assert caught.value.reason == Reason.URL_INVALID


@pytest.mark.parametrize("url", ["ssh://-oProxyCommand=x@host/a.git", "ssh://-oProxyCommand=x/a.git"])
def test_options_for_ssh_are_no_hosts(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        parse_git_url(url, protocols=ALL)
    assert caught.value.reason == Reason.URL_INVALID
