"""The gateway's options: from the command line, each with an environment variable behind it."""

import argparse
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from botyard.contract import names

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""What the Host header may name where nobody is authenticated."""

AuthMode = Literal["kubernetes", "tokens", "kubernetes+tokens", "none"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a gateway process needs to know."""

    host: str
    port: int
    redis_url: str
    auth: AuthMode
    tokens_file: Path | None
    audiences: tuple[str, ...]
    routes_file: Path | None
    system_namespace: str
    kubeconfig: Path | None
    rate: float
    burst: int
    max_streams: int
    write_timeout: float
    drain_delay: float
    drain_timeout: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    env = os.environ.get
    parser.add_argument("--host", default=env("BOTYARD_HOST", "0.0.0.0"), help="address to listen on (%(default)s)")  # noqa: S104
    parser.add_argument(
        "--port", type=int, default=int(env("BOTYARD_PORT", str(names.GATEWAY_PORT))), help="port (%(default)s)"
    )
    parser.add_argument("--redis", default=env("BOTYARD_REDIS_URL"), metavar="URL", help="Redis, redis://… or unix://…")
    parser.add_argument(
        "--redis-file",
        type=Path,
        default=_path(env("BOTYARD_REDIS_URL_FILE")),
        metavar="FILE",
        help="file that holds Redis' URL",
    )
    parser.add_argument(
        "--auth",
        choices=["kubernetes", "tokens", "kubernetes+tokens", "none"],
        default=env("BOTYARD_AUTH", "kubernetes"),
        help="who may call: TokenReview and SubjectAccessReview, a file of tokens, both, or (loopback only) everybody "
        "(%(default)s)",
    )
    parser.add_argument(
        "--tokens", type=Path, default=_path(env("BOTYARD_TOKENS_FILE")), metavar="FILE", help="file of tokens, YAML"
    )
    parser.add_argument(
        "--audience",
        action="append",
        default=None,
        metavar="NAME",
        help="audience that Kubernetes tokens must have; may be repeated (BOTYARD_AUDIENCES, comma-separated)",
    )
    parser.add_argument(
        "--routes",
        type=Path,
        default=_path(env("BOTYARD_ROUTES_FILE")),
        metavar="FILE",
        help="routing table as a file; without it the ConfigMap botyard-routes is watched",
    )
    parser.add_argument(
        "--namespace",
        default=env("BOTYARD_NAMESPACE", "botyard-system"),
        help="namespace of the ConfigMap botyard-routes (%(default)s)",
    )
    parser.add_argument(
        "--kubeconfig", type=Path, default=None, metavar="FILE", help="outside of a cluster: how to reach it"
    )
    parser.add_argument(
        "--rate", type=float, default=20.0, help="messages a second of one user to one bot (%(default)s)"
    )
    parser.add_argument("--burst", type=int, default=100, help="messages at once of one user to one bot (%(default)s)")
    parser.add_argument("--max-streams", type=int, default=5000, help="event streams open at once (%(default)s)")
    parser.add_argument(
        "--write-timeout",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="when a client that does not read is dropped",
    )
    parser.add_argument(
        "--drain-delay",
        type=float,
        default=float(env("BOTYARD_DRAIN_DELAY", "5")),
        metavar="SECONDS",
        help="between not ready and the end of streams (%(default)s)",
    )
    parser.add_argument(
        "--drain-timeout", type=float, default=30.0, metavar="SECONDS", help="for running requests (%(default)s)"
    )


def from_arguments(args: argparse.Namespace) -> Settings:
    """Return the settings that the arguments mean.

    Raises:
        ValueError: They do not fit together; the message says what to do.
    """
    redis_url = args.redis
    if args.redis_file is not None:
        try:
            redis_url = args.redis_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"cannot read {args.redis_file}: {error.strerror}") from None
    if not redis_url:
        raise ValueError("no Redis: give --redis URL, --redis-file FILE or BOTYARD_REDIS_URL")
    if "tokens" in args.auth and args.tokens is None:
        raise ValueError(f"--auth {args.auth} needs --tokens FILE")
    if args.auth == "none" and not is_loopback(args.host):
        raise ValueError(
            f"--auth none would let everybody in who reaches {args.host}; listen on 127.0.0.1, or choose another --auth"
        )
    audiences = args.audience if args.audience is not None else _words(os.environ.get("BOTYARD_AUDIENCES", ""))
    return Settings(
        host=args.host,
        port=args.port,
        redis_url=redis_url,
        auth=args.auth,
        tokens_file=args.tokens,
        audiences=tuple(audiences),
        routes_file=args.routes,
        system_namespace=args.namespace,
        kubeconfig=args.kubeconfig,
        rate=args.rate,
        burst=args.burst,
        max_streams=args.max_streams,
        write_timeout=args.write_timeout,
        drain_delay=args.drain_delay,
        drain_timeout=args.drain_timeout,
    )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None


def _words(text: str) -> Sequence[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
