"""What the artifact server answers, over a real socket."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from botyard_operator.artifacts import ArtifactServer, ArtifactStore, token_for

KEY = b"k" * 32
CONTENT = bytes(range(256)) * 4096
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
HEX = DIGEST.removeprefix("sha256:")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    store = ArtifactStore(tmp_path)
    store.open()
    with store.work_dir() as work:
        (work / "a").write_bytes(CONTENT)
        store.adopt(work / "a", DIGEST)
    return store


@pytest.fixture
async def client(store: ArtifactStore) -> AsyncIterator[aiohttp.ClientSession]:
    server = ArtifactServer(store, key=KEY)
    port = await server.start(0, "127.0.0.1")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", auto_decompress=False) as session:
        yield session
    await server.stop()


def bearer(digest: str = DIGEST) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_for(KEY, digest)}"}


async def test_the_token_of_the_digest_opens_it(client: aiohttp.ClientSession) -> None:
    async with client.get(f"/v1/artifacts/{HEX}.tar.gz", headers=bearer()) as answer:
        assert answer.status == 200
        assert answer.headers["ETag"] == f'"{DIGEST}"'
        assert answer.content_length == len(CONTENT)
        assert await answer.read() == CONTENT


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic eA=="}, bearer(f"sha256:{'a' * 64}")],
    ids=["none", "empty", "basic", "of another digest"],
)
async def test_everything_else_is_refused(client: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    async with client.get(f"/v1/artifacts/{HEX}.tar.gz", headers=headers) as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"
        assert (await answer.json())["status"] == 401
        assert "WWW-Authenticate" in answer.headers


async def test_nobody_without_a_token_learns_what_exists(client: aiohttp.ClientSession) -> None:
    async with client.get(f"/v1/artifacts/{'b' * 64}.tar.gz") as answer:
        assert answer.status == 401


async def test_a_digest_that_is_not_there_is_a_problem(client: aiohttp.ClientSession) -> None:
    async with client.get(f"/v1/artifacts/{'b' * 64}.tar.gz", headers=bearer(f"sha256:{'b' * 64}")) as answer:
        assert answer.status == 404
        assert "fetches it again" in (await answer.json())["detail"]


@pytest.mark.parametrize("name", ["x.tar.gz", f"{HEX}.zip", "..%2f..%2fetc%2fpasswd", f"{HEX.upper()}.tar.gz"])
async def test_other_names_are_not_found(client: aiohttp.ClientSession, name: str) -> None:
    async with client.get(f"/v1/artifacts/{name}", headers=bearer()) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=1000-", 1000, len(CONTENT)), ("bytes=-5", len(CONTENT) - 5, len(CONTENT))],
)
async def test_a_range_is_a_part(client: aiohttp.ClientSession, asked: str, start: int, stop: int) -> None:
    async with client.get(f"/v1/artifacts/{HEX}.tar.gz", headers={**bearer(), "Range": asked}) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
        assert await answer.read() == CONTENT[start:stop]


async def test_a_range_behind_the_end_is_refused(client: aiohttp.ClientSession) -> None:
    headers = {**bearer(), "Range": "bytes=99999999-"}
    async with client.get(f"/v1/artifacts/{HEX}.tar.gz", headers=headers) as answer:
        assert answer.status == 416
        assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


async def test_a_part_of_something_else_is_never_mixed_in(client: aiohttp.ClientSession) -> None:
    headers = {**bearer(), "Range": "bytes=0-9", "If-Range": '"sha256:other"'}
    async with client.get(f"/v1/artifacts/{HEX}.tar.gz", headers=headers) as answer:
        assert answer.status == 200
        assert await answer.read() == CONTENT


async def test_head_and_not_modified_carry_no_content(client: aiohttp.ClientSession) -> None:
    async with client.head(f"/v1/artifacts/{HEX}.tar.gz", headers=bearer()) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(CONTENT)))
    headers = {**bearer(), "If-None-Match": f'"{DIGEST}"'}
    async with client.get(f"/v1/artifacts/{HEX}.tar.gz", headers=headers) as answer:
        assert (answer.status, await answer.read()) == (304, b"")


async def test_a_damaged_artifact_is_not_served(client: aiohttp.ClientSession, store: ArtifactStore) -> None:
    store.path(DIGEST).write_bytes(CONTENT[:-1] + b"!")
    async with client.get(f"/v1/artifacts/{HEX}.tar.gz", headers=bearer()) as answer:
        assert answer.status == 404
    assert not store.has(DIGEST)


async def test_health(client: aiohttp.ClientSession) -> None:
    async with client.get("/healthz") as answer:
        assert answer.status == 200


def test_a_server_without_a_key_does_not_start(store: ArtifactStore) -> None:
    with pytest.raises(ValueError, match="key is empty"):
        ArtifactServer(store, key=b"")
