"""Download, verification and what a person reads when they fail."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from botyard.bundle_fetch import BundleFetchError, RetryPolicy, fetch, run_from_env
from botyard.contract import names
from tests.unit.runtime.bundle_fetch.conftest import Origin, archive_of, digest_of, member, tree

QUICK = RetryPolicy(attempts=4, first_pause=0.01, longest_pause=0.02, deadline=20, request_timeout=2)
GOOD = archive_of(member("bot.py", b"print(1)"), member("lib/a.py", b"x"))

Answer = Callable[[Origin, BaseHTTPRequestHandler], None]


def status(code: int) -> Answer:
    return lambda _, handler: handler.send_error(code)


def cut_off(origin: Origin, handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(origin.content)))
    handler.end_headers()
    handler.wfile.write(origin.content[:100])


def flipped(origin: Origin, handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(origin.content[:-1] + b"\0\0")


def test_a_bundle_arrives_whole(origin: Origin, tmp_path: Path) -> None:
    origin.content = GOOD
    dest = tmp_path / "bundle"
    assert fetch(origin.url, "token", digest_of(GOOD), dest, policy=QUICK) == 2
    assert tree(dest) == {"bot.py": "print(1)", "lib/a.py": "x"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_what_was_there_before_is_gone(origin: Origin, tmp_path: Path) -> None:
    origin.content = GOOD
    (tmp_path / "bundle" / "old").mkdir(parents=True)
    (tmp_path / "bundle" / "old" / "bot.py").write_text("old")
    fetch(origin.url, "token", digest_of(GOOD), tmp_path / "bundle", policy=QUICK)
    assert tree(tmp_path / "bundle") == {"bot.py": "print(1)", "lib/a.py": "x"}


@pytest.mark.parametrize(
    "answer",
    [status(404), status(500), status(503), status(429), cut_off, flipped],
    ids=["404", "500", "503", "429", "cut off", "damaged"],
)
def test_what_may_pass_is_tried_again(origin: Origin, tmp_path: Path, answer: Answer) -> None:
    origin.content, origin.answers = GOOD, [answer, answer]
    fetch(origin.url, "token", digest_of(GOOD), tmp_path / "bundle", policy=QUICK)
    assert origin.requests == 3


def test_attempts_end(origin: Origin, tmp_path: Path) -> None:
    origin.answers = [status(404)] * 10
    with pytest.raises(BundleFetchError, match="4 attempts: the artifact is not in the operator's storage"):
        fetch(origin.url, "token", digest_of(GOOD), tmp_path / "bundle", policy=QUICK)
    assert origin.requests == QUICK.attempts


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleFetchError, match="network policies"):
        fetch("http://127.0.0.1:1/x", "token", digest_of(GOOD), tmp_path / "bundle", policy=QUICK)


def test_a_refused_token_is_told_at_once_and_not_shown(origin: Origin, tmp_path: Path) -> None:
    origin.content = GOOD
    with pytest.raises(BundleFetchError, match="refuses the token") as caught:
        fetch(origin.url, "wrong-token", digest_of(GOOD), tmp_path / "bundle", policy=QUICK)
    assert origin.requests == 1
    assert "wrong-token" not in str(caught.value)


def test_a_redirect_is_not_followed(origin: Origin, tmp_path: Path) -> None:
    def redirect(_: Origin, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "http://127.0.0.1:1/")
        handler.end_headers()

    origin.answers = [redirect] * QUICK.attempts
    with pytest.raises(BundleFetchError, match="HTTP 302"):
        fetch(origin.url, "token", digest_of(GOOD), tmp_path / "bundle", policy=QUICK)


def test_nothing_unverified_is_unpacked(origin: Origin, tmp_path: Path) -> None:
    origin.content = archive_of(member("evil.py", b"1"))
    dest = tmp_path / "bundle"
    dest.mkdir()
    (dest / "bot.py").write_text("running")
    with pytest.raises(BundleFetchError, match="has the digest"):
        fetch(origin.url, "token", digest_of(GOOD), dest, policy=QUICK)
    assert tree(dest) == {"bot.py": "running"}


def test_a_download_has_a_limit(origin: Origin, tmp_path: Path) -> None:
    origin.content = b"x" * 10_000
    with pytest.raises(BundleFetchError, match="larger than 5000 bytes"):
        fetch(origin.url, "token", digest_of(origin.content), tmp_path / "b", max_bytes=5000, policy=QUICK)
    assert origin.requests == 1


def test_what_is_no_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleFetchError, match="is no digest"):
        fetch("http://127.0.0.1:1/x", "token", "sha256:main", tmp_path / "b", policy=QUICK)


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    folder = tmp_path / "platform"
    folder.mkdir()
    (folder / names.ARTIFACT_TOKEN_FILE).write_text("token\n")
    return folder


def test_the_pods_environment_is_enough(
    origin: Origin, tmp_path: Path, platform: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin.content = GOOD
    environ = {
        names.ENV_ARTIFACT_URL: origin.url,
        names.ENV_ARTIFACT_DIGEST: digest_of(GOOD),
        names.ENV_REVISION: "main@sha1:abc",
    }
    assert run_from_env(environ, dest=tmp_path / "bundle", platform_dir=platform, policy=QUICK) == 0
    assert "main@sha1:abc: 2 files" in capsys.readouterr().out
    assert (tmp_path / "bundle" / "bot.py").exists()


@pytest.mark.parametrize(
    ("missing", "said"),
    [(names.ENV_ARTIFACT_URL, names.ENV_ARTIFACT_URL), ("token", "platform Secret")],
)
def test_a_failure_is_told_where_kubernetes_shows_it(
    tmp_path: Path, platform: Path, missing: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {names.ENV_ARTIFACT_URL: "http://127.0.0.1:1/x", names.ENV_ARTIFACT_DIGEST: digest_of(GOOD)}
    environ.pop(missing, None)
    if missing == "token":
        (platform / names.ARTIFACT_TOKEN_FILE).unlink()
    log = tmp_path / "termination-log"
    log.touch()
    code = run_from_env(environ, dest=tmp_path / "bundle", platform_dir=platform, termination_log=log, policy=QUICK)
    assert code == 1
    assert said in log.read_text()
    assert said in capsys.readouterr().err


def test_a_missing_termination_log_is_not_made(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    assert run_from_env({}, dest=tmp_path / "b", platform_dir=tmp_path, termination_log=log) == 1
    assert not log.exists()
