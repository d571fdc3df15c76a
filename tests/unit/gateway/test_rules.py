"""Small rules: permissions, visibility, event types, defaults, settings."""

import argparse
from pathlib import Path

import pytest

from botyard.contract.routes import Route, Routes
from botyard.gateway.authentication import StaticTokens, bearer
from botyard.gateway.events import event_type
from botyard.gateway.identity import Permission
from botyard.gateway.problems import Problem
from botyard.gateway.routes import RoutingTable
from botyard.gateway.settings import add_arguments, from_arguments, is_loopback
from botyard.gateway.token_reviews import expiry
from botyard.gateway.visibility import visible


@pytest.mark.parametrize(
    ("permission", "question", "answer"),
    [
        (Permission("shop"), ("shop", "echo", "use"), True),
        (Permission("shop"), ("bank", "echo", "use"), False),
        (Permission("shop"), ("shop", "echo", "actas"), False),
        (Permission("shop"), ("shop", "", "use"), True),
        (Permission("shop", bots=("echo",)), ("shop", "echo", "use"), True),
        (Permission("shop", bots=("echo",)), ("shop", "vault", "use"), False),
        (Permission("shop", bots=("echo",)), ("shop", "", "use"), False),
        (Permission("*", verbs=("*",)), ("bank", "vault", "actas"), True),
    ],
)
def test_permissions(permission: Permission, question: tuple[str, str, str], answer: bool) -> None:
    assert permission.covers(*question) is answer


@pytest.mark.parametrize(
    ("kind", "allow", "privileged", "answer"),
    [
        ("bot.message", (), False, True),
        ("chat.step", (), False, False),
        ("chat.step.tool", (), False, False),
        ("chat.steps", (), False, True),
        ("accounting.usage", (), False, False),
        ("accounting.usage", ("accounting.usage",), False, True),
        ("accounting.usage", ("accounting.*",), False, True),
        ("accounting.usage", ("account.*", "chat.*"), False, False),
        ("accounting", ("accounting.*",), False, True),
        ("accounting.usage", (), True, True),
    ],
)
def test_visibility(kind: str, allow: tuple[str, ...], privileged: bool, answer: bool) -> None:
    assert visible(kind, allow=allow, privileged=privileged) is answer


@pytest.mark.parametrize(
    ("envelope", "kind"),
    [
        ('{"type":"bot.message","data":{}}', "bot.message"),
        ('{"data":{"type":"x"},"type":"chat.delta"}', "chat.delta"),
        ('{"type":"a\\nevent: b"}', "message"),
        ('{"type":"a b"}', "message"),
        ('{"type":7}', "message"),
        ("{}", "message"),
    ],
)
def test_event_types_cannot_break_the_stream(envelope: str, kind: str) -> None:
    assert event_type(envelope) == kind


def test_the_default_bot_is_the_marked_one_or_the_only_one() -> None:
    one = Route(namespace="a", name="one")
    two = Route(namespace="a", name="two")
    marked = Route(namespace="a", name="three", default=True)
    alone = Route(namespace="b", name="alone")
    table = RoutingTable(Routes(routes=(one, two, alone)))
    assert table.default("a") is None
    assert table.default("b") == alone
    table.replace(Routes(routes=(one, two, marked)))
    assert table.default("a") == marked
    assert table.default("b") is None


@pytest.mark.parametrize("header", ["Basic x", "Bearer", "Bearer  ", "x"])
def test_other_authorization_headers_are_refused(header: str) -> None:
    with pytest.raises(Problem):
        bearer(header)


def test_bearer_tokens_are_read_whatever_the_case_of_the_scheme() -> None:
    assert bearer(None) is None
    assert bearer("bearer abc") == "abc"


def test_the_expiry_of_a_jwt_is_read_and_nonsense_has_none() -> None:
    assert expiry("e30.eyJleHAiOiAxMjN9.x") == 123
    for token in ("abc", "a.b.c", "e30.e30.x", "e30.bnVsbA.x"):
        assert expiry(token) is None


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("tokens: [{sha256: abc, subject: a}]", "tokens.0.sha256"),
        ("tokens: [{subject: a}]", "tokens.0.sha256"),
        ("token: []", "tokens"),
        ("{", "not YAML"),
        ("", "should be a valid dictionary"),
    ],
)
def test_a_bad_token_file_says_where(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=part):
        StaticTokens(path)


def test_a_missing_token_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read the token file"):
        StaticTokens(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False), ("a.b", False)],
)
def test_loopback(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        ([], "no Redis"),
        (["--redis", "redis://r", "--auth", "tokens"], "--tokens"),
        (["--redis", "redis://r", "--auth", "none"], "everybody"),
        (["--redis-file", "/nowhere/redis-url"], "cannot read"),
    ],
)
def test_settings_that_do_not_fit_together_say_what_to_do(
    argv: list[str], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BOTYARD_REDIS_URL", "BOTYARD_REDIS_URL_FILE", "BOTYARD_AUTH", "BOTYARD_TOKENS_FILE"):
        monkeypatch.delenv(name, raising=False)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(ValueError, match=part):
        from_arguments(parser.parse_args(argv))
