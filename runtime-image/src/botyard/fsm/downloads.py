"""Downloads a file of a message, from an address that a user chose."""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

import httpx

from botyard.fsm.files import TIMEOUT_SECONDS, FileError, FileRules


async def download(url: str, name: str, rules: FileRules) -> tuple[bytes, str]:
    """Return content and media type of what is at `url`.

    Args:
        url: Its address.
        name: The file's, for people.
        rules: What may be fetched.

    Raises:
        FileError: The address may not be fetched, does not answer, or the file is too large.
    """
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _get(url, name, rules)
    except TimeoutError:
        raise FileError(f"File {name!r} did not arrive within {TIMEOUT_SECONDS:.0f} seconds.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise FileError(f"File {name!r} cannot be fetched: {error or type(error).__name__}") from error


async def _get(url: str, name: str, rules: FileRules) -> tuple[bytes, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FileError(f"File {name!r} needs an http, https or data address.")
    target = httpx.URL(url)
    address = await _address(parts.hostname, target.port or (443 if parts.scheme == "https" else 80), name, rules)
    # The address that was checked is the one that is called: a second look-up could answer otherwise.
    pinned = target.copy_with(host=address)
    headers = {"Host": target.netloc.decode("ascii").rpartition("@")[2]}
    async with (
        httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=TIMEOUT_SECONDS) as client,
        client.stream("GET", pinned, headers=headers, extensions={"sni_hostname": parts.hostname}) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise FileError(f"File {name!r} cannot be fetched: its server answers {answer.status_code}.")
        content = bytearray()
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > rules.max_bytes:
                raise FileError(f"File {name!r} has more than {rules.max_bytes} bytes.")
        return bytes(content), answer.headers.get("content-type", "").partition(";")[0]


async def _address(host: str, port: int, name: str, rules: FileRules) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(item[4][0]) for item in found]
    if not rules.allow_private and not all(ipaddress.ip_address(a.partition("%")[0]).is_global for a in addresses):
        raise FileError(
            f"File {name!r} is at {host}, which is not a public address; the Bot's config may allow it with "
            f"files.allowPrivate."
        )
    return addresses[0]
