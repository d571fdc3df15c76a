"""The command `botyard`."""

import subprocess
import sys

import pytest

from botyard.cli import main as cli


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"  {command.name} " in out


def test_without_a_command_the_usage_is_shown_and_it_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "hint"), [("chatt", "botyard chat"), ("zzz", "botyard --help")])
def test_an_unknown_command_is_answered_with_the_nearest(
    name: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([name]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command: cli.Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([command.name, "--help"])
    assert caught.value.code == 0
    assert f"botyard {command.name}" in capsys.readouterr().out


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from botyard.cli.main import main; main(['--help']); "
        "print([name for name in ('httpx', 'redis', 'pydantic', 'starlette', 'kubernetes') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["dev", "/nowhere/at/all"], "is not a folder"),
        (["chat", "not-an-address", "bot"], "is not an address"),
        (["chat", "http://a", "b", "c"], "too many arguments"),
        (["chat", "http://127.0.0.1:1", "ns/b", "--script", "/nowhere"], "cannot read"),
        (["gateway", "--redis", "redis://r", "--auth", "none"], "everybody"),
        (["gateway", "--redis", "redis://r", "--auth", "kubernetes+oidk"], "not kubernetes+oidk"),
        (["gateway", "--redis", "redis://r", "--auth", "none+tokens"], "not none+tokens"),
        (["gateway", "--redis", "redis://r", "--auth", "oidc"], "--oidc-issuer"),
        (["gateway", "--redis", "redis://r", "--auth", "oidc", "--oidc-issuer", "https://i"], "--oidc-audience"),
        (["gateway", "--redis", "redis://r", "--cors-origin", "chat.example.com"], "is no origin"),
        (["gateway", "--redis", "redis://r", "--cors-origin", "https://a/b"], "is no origin"),
    ],
)
def test_mistakes_of_the_user_are_told_without_a_traceback(
    argv: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 2
    err = capsys.readouterr().err
    assert part in err
    assert "Traceback" not in err


def test_a_gateway_that_cannot_be_reached_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["chat", "http://127.0.0.1:1", "ns/b", "--once", "hi", "--retry", "0"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
