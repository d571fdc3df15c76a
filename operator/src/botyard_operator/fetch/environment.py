"""The environment in which git runs: nothing of the machine's own configuration, no prompt, no hook, no surprise.

Configuration travels in `GIT_CONFIG_COUNT` variables, which only the child's own processes can read; a command
line could be read by everybody in the container.
"""

import base64
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from botyard_operator.fetch.request import Credentials
from botyard_operator.fetch.ssh import ssh_environment
from botyard_operator.fetch.url import GitUrl

LOW_SPEED_BYTES = 1000
LOW_SPEED_SECONDS = 20


def authorization(credentials: Credentials) -> str:
    """Return the value of the Authorization header, empty without credentials."""
    if credentials.bearer_token:
        return f"Bearer {credentials.bearer_token}"
    if credentials.username:
        pair = f"{credentials.username}:{credentials.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    return ""


def secrets_of(credentials: Credentials) -> tuple[str, ...]:
    """Return every string that must never appear in a message."""
    return tuple(
        value
        for value in (
            authorization(credentials).partition(" ")[2],
            credentials.password,
            credentials.bearer_token,
            credentials.passphrase,
            urlsplit(credentials.proxy).password or "",
        )
        if value
    )


def authority_file(home: Path, credentials: Credentials) -> Path:
    """Return the PEM file that replaces the system's authorities, written into `home`."""
    path = home / "ca.crt"
    path.write_text(credentials.ca_certificate)
    return path


def git_config(
    url: GitUrl, *, protocols: Collection[str], credentials: Credentials, low_speed_seconds: int, addresses: str = ""
) -> list[tuple[str, str]]:
    """Return git's whole configuration for one fetch, as pairs of key and value."""
    config = [
        ("protocol.allow", "never"),
        *((f"protocol.{protocol}.allow", "always") for protocol in sorted(protocols)),
        ("core.hooksPath", "/dev/null"),
        ("core.askPass", ""),
        ("core.fsmonitor", "false"),
        ("core.packedGitLimit", "128m"),
        ("core.packedGitWindowSize", "32m"),
        ("credential.helper", ""),
        ("fetch.unpackLimit", "1"),
        ("fetch.recurseSubmodules", "false"),
        ("fetch.writeCommitGraph", "false"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("pack.threads", "1"),
        ("index.threads", "1"),
        ("submodule.recurse", "false"),
        ("http.followRedirects", "false"),
        ("http.lowSpeedLimit", str(LOW_SPEED_BYTES)),
        ("http.lowSpeedTime", str(max(1, low_speed_seconds))),
        ("advice.fetchShowForcedUpdates", "false"),
        ("init.defaultBranch", "main"),
    ]
    if addresses:
        config.append(("http.curloptResolve", addresses))
    if credentials.proxy:
        config.append(("http.proxy", credentials.proxy))
    if header := authorization(credentials):
        parts = urlsplit(url.clean)
        config.append((f"http.{parts.scheme}://{parts.netloc}/.extraHeader", f"Authorization: {header}"))
    return config


def git_environment(
    url: GitUrl,
    *,
    home: Path,
    protocols: Collection[str],
    credentials: Credentials,
    low_speed_seconds: int = LOW_SPEED_SECONDS,
    addresses: str = "",
) -> dict[str, str]:
    """Return the environment variables that git gets on top of the child's own minimal ones.

    Args:
        url: the remote.
        home: an empty folder of this remote's own, which gets the files that git and ssh read credentials from.
        protocols: transports that git may use at all.
        credentials: sent as a header to the remote's own origin only.
        addresses: what the server's name resolves to, see `pinned_addresses`; empty: git resolves it.
        low_speed_seconds: a transfer slower than 1000 bytes a second for this long is given up.

    Raises:
        OSError: `home` cannot be written to.
    """
    env = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": ":".join(sorted(protocols)),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_SSH_COMMAND": "false",
        "GIT_CEILING_DIRECTORIES": str(home.parent.parent),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C",
    }
    if url.protocol == "ssh":
        env |= ssh_environment(home / "ssh", credentials)
    if credentials.ca_certificate:
        env["GIT_SSL_CAINFO"] = str(authority_file(home, credentials))
    # Else TLS would trust, and at each start read, the system's folder of authorities beside the file.
    env["GIT_SSL_CAPATH"] = str(home)
    config = git_config(
        url, protocols=protocols, credentials=credentials, low_speed_seconds=low_speed_seconds, addresses=addresses
    )
    env["GIT_CONFIG_COUNT"] = str(len(config))
    for number, (key, value) in enumerate(config):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env
