"""Archives over HTTP and files from the manifest become the same kind of artifact as a repository."""

import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from botyard_operator.fetch import Credentials, FetchError, Reason, Ref
from tests.integration.git.content import FetchHere, contents
from tests.integration.git.files import FileServer, serve_files

FILES = {"bot.py": "print(1)", "lib/tools.py": "X = 1"}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files() as files:
        yield files


def zipped(files: dict[str, str], *, links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return out.getvalue()


def tarred(files: dict[str, str], *members: tarfile.TarInfo, prefix: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{prefix}{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
        for info in members:
            archive.addfile(info)
    return out.getvalue()


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def archive(name: str) -> Ref:
    return Ref(kind="archive", name=name)


@pytest.mark.parametrize(
    ("name", "content", "files"),
    [
        ("bot.zip", zipped(FILES), FILES),
        ("bot-1.0-py3-none-any.whl", zipped(FILES), FILES),
        ("bot.tar.gz", tarred(FILES, prefix="./"), FILES),
        ("bot.py", b"print(1)", {"bot.py": "print(1)"}),
    ],
)
def test_every_kind_of_archive_becomes_an_artifact(
    server: FileServer, fetch_here: FetchHere, work: Path, name: str, content: bytes, files: dict[str, str]
) -> None:
    server.files[name] = content
    result = fetch_here(server.url(name), ref=archive(name))
    assert contents(work) == files
    assert result.commit == hashlib.sha256(content).hexdigest()
    assert archive(name).revision(result.commit) == f"{name}@sha256:{result.commit}"


def test_one_tree_has_one_digest_however_it_came(server: FileServer, fetch_here: FetchHere) -> None:
    server.files |= {"a.zip": zipped(FILES), "a.tar.gz": tarred(FILES, prefix="top/")}
    first = fetch_here(server.url("a.zip"), ref=archive("a.zip"))
    second = fetch_here(server.url("a.tar.gz"), ref=archive("a.tar.gz"), path="top")
    third = fetch_here(ref=Ref(kind="inline", name="inline"), files=FILES)
    assert first.digest == second.digest == third.digest


def test_an_unchanged_archive_is_not_sent_again(server: FileServer, fetch_here: FetchHere) -> None:
    server.files["bot.zip"] = zipped(FILES)
    first = fetch_here(server.url("bot.zip"), ref=archive("bot.zip"))
    known = {"known_commit": first.commit, "known_etag": first.etag}
    assert fetch_here(server.url("bot.zip"), ref=archive("bot.zip"), **known).outcome == "unchanged"
    assert server.statuses == [200, 304]
    server.files["bot.zip"] = zipped({"bot.py": "2"})
    assert fetch_here(server.url("bot.zip"), ref=archive("bot.zip"), **known).outcome == "fetched"


def test_a_pinned_archive_is_what_was_pinned(server: FileServer, fetch_here: FetchHere) -> None:
    content = server.files["bot.zip"] = zipped(FILES)
    pinned = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert fetch_here(server.url("bot.zip"), ref=archive("bot.zip"), digest=pinned).outcome == "fetched"
    server.files["bot.zip"] = zipped({"bot.py": "evil"})
    with pytest.raises(FetchError) as caught:
        fetch_here(server.url("bot.zip"), ref=archive("bot.zip"), digest=pinned)
    assert caught.value.reason == Reason.DIGEST_MISMATCH


@pytest.mark.parametrize(
    ("content", "fields", "reason"),
    [
        (zipped({"../evil.py": ""}), {}, Reason.UNSAFE_PATH),
        (zipped({"/etc/passwd": ""}), {}, Reason.UNSAFE_PATH),
        (zipped({"a\x01b.py": ""}), {}, Reason.UNSAFE_PATH),
        (zipped(FILES, links={"out": "../../etc/passwd"}), {}, Reason.UNSAFE_PATH),
        (tarred(FILES, member("out", tarfile.SYMTYPE, "/etc/passwd")), {}, Reason.UNSAFE_PATH),
        (tarred(FILES, member("hard", tarfile.LNKTYPE, "/etc/passwd")), {}, Reason.UNSAFE_PATH),
        (tarred(FILES, member("device", tarfile.CHRTYPE)), {}, Reason.UNSAFE_PATH),
        (tarred({"bot.py": "1"}, member("bot.py", tarfile.REGTYPE)), {}, Reason.UNSAFE_PATH),
        (zipped({"zeros": "0" * 3_000_000}), {"max_bytes": 1_000_000}, Reason.TOO_LARGE),
        (zipped({f"{n}.py": "" for n in range(50)}), {"max_files": 20}, Reason.TOO_MANY_FILES),
        (zipped(FILES), {"path": "missing"}, Reason.PATH_NOT_FOUND),
        (zipped(FILES), {"ignore": "*"}, Reason.SOURCE_EMPTY),
        (zipped(FILES)[:60], {}, Reason.ARCHIVE_UNREADABLE),
        (tarred({"bot.py": "x" * 100_000})[:-40], {}, Reason.ARCHIVE_UNREADABLE),
        (b"<html>sign in</html>", {}, Reason.ARCHIVE_UNREADABLE),
        (b"", {}, Reason.ARCHIVE_UNREADABLE),
    ],
)
def test_what_an_archive_must_not_hold_is_refused(
    server: FileServer, fetch_here: FetchHere, work: Path, content: bytes, fields: dict[str, object], reason: Reason
) -> None:
    server.files["bot.zip"] = content
    with pytest.raises(FetchError) as caught:
        fetch_here(server.url("bot.zip"), ref=archive("bot.zip"), **fields)
    assert caught.value.reason == reason
    assert caught.value.commit == hashlib.sha256(content).hexdigest()


def test_what_goes_wrong_on_the_way_is_told(server: FileServer, fetch_here: FetchHere) -> None:
    server.files["bot.zip"] = zipped(FILES)

    def reason(url: str, **fields: object) -> Reason:
        with pytest.raises(FetchError) as caught:
            fetch_here(url, ref=archive("bot.zip"), **fields)
        return caught.value.reason

    assert reason(server.url("other.zip")) == Reason.ARCHIVE_NOT_FOUND
    assert reason("http://nowhere.invalid/bot.zip") == Reason.HOST_NOT_FOUND
    assert reason("http://127.0.0.1:1/bot.zip") == Reason.CONNECTION_FAILED
    assert reason(server.url("bot.zip"), max_download_bytes=100) == Reason.TOO_LARGE
    server.cut = True
    assert reason(server.url("bot.zip")) == Reason.REMOTE_UNREADABLE


def test_a_redirect_is_followed_but_not_inwards_and_without_credentials(
    server: FileServer, fetch_here: FetchHere
) -> None:
    server.files["bot.zip"] = zipped(FILES)
    server.redirects["latest"] = "/bot.zip"
    credentials = Credentials(username="nora", password="secret")
    server.password = "secret"
    url = server.url("latest")
    assert fetch_here(url, ref=archive("latest"), credentials=credentials).outcome == "fetched"
    for inside in ("http://169.254.169.254/latest/meta-data", server.url("bot.zip", host="localhost")):
        server.redirects["latest"] = inside
        server.authorizations.clear()
        with pytest.raises(FetchError) as caught:
            fetch_here(url, ref=archive("latest"), credentials=credentials)
        assert caught.value.reason in {Reason.REDIRECT_REFUSED, Reason.CONNECTION_FAILED, Reason.TIMED_OUT}
        assert len(server.authorizations) == 1, "nobody else was asked"
    with serve_files() as other:
        other.files["bot.zip"] = zipped(FILES)
        server.redirects["latest"] = other.url("bot.zip")
        assert fetch_here(url, ref=archive("latest"), credentials=credentials).outcome == "fetched"
        assert other.authorizations == [""]
