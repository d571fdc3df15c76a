"""The gateway's options: from the command line, each with an environment variable behind it."""

import argparse
import ipaddress
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from botyard.contract import names
from botyard.core import acknowledgement
from botyard.core.files import MAX_BYTES, FileLimits
from botyard.core.inbox import MAX_PENDING
from botyard.gateway.chat.parts import TRANSPORTS, ChatSettings
from botyard.gateway.chat.users import UserRules, allowances_of

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""What the Host header may name where nobody is authenticated."""

AUTHENTICATORS = ("kubernetes", "tokens", "oidc")


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """An OIDC issuer whose tokens are let in."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    ca_file: Path | None
    user_claim: str
    user_prefix: str
    groups_claim: str
    groups_prefix: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a gateway process needs to know."""

    host: str
    port: int
    redis_url: str
    auth: frozenset[str]
    """Of AUTHENTICATORS; empty: nobody is asked."""
    tokens_file: Path | None
    audiences: tuple[str, ...]
    oidc: OidcSettings | None
    cors_origins: tuple[str, ...]
    routes_file: Path | None
    channels_file: Path | None
    """Messengers and other systems, with their secrets."""
    system_namespace: str
    kubeconfig: Path | None
    rate: float
    burst: int
    bot_rate: float
    bot_burst: int
    max_pending: int
    file_limits: FileLimits
    max_streams: int
    write_timeout: float
    drain_delay: float
    drain_timeout: float
    accounting: str = ""
    """Address of the storage that gets the events of accounting; empty: none does."""
    chat: ChatSettings = field(default_factory=ChatSettings)


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
        metavar="WAY[+WAY…]",
        default=env("BOTYARD_AUTH", "kubernetes"),
        help="who may call: `kubernetes` (TokenReview), `tokens` (a file of tokens), `oidc` (JWTs of an issuer), "
        "joined by +; or `none`: everybody, on loopback only (%(default)s)",
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
    _add_oidc(parser)
    parser.add_argument(
        "--cors-origin",
        action="append",
        default=None,
        metavar="ORIGIN",
        help="origin of web pages that may call, such as https://chat.example.com; may be repeated, * for all; none "
        "may by default (BOTYARD_CORS_ORIGINS, comma-separated)",
    )
    parser.add_argument(
        "--routes",
        type=Path,
        default=_path(env("BOTYARD_ROUTES_FILE")),
        metavar="FILE",
        help="routing table as a file; without it the ConfigMaps botyard-routes… are watched",
    )
    parser.add_argument(
        "--channels",
        type=Path,
        default=_path(env("BOTYARD_CHANNELS_FILE")),
        metavar="FILE",
        help="channels to messengers and other systems, YAML (docs/channels.md); it holds their secrets",
    )
    parser.add_argument(
        "--namespace",
        default=env("BOTYARD_NAMESPACE", "botyard-system"),
        help="namespace of the ConfigMaps botyard-routes… (%(default)s)",
    )
    parser.add_argument(
        "--kubeconfig", type=Path, default=None, metavar="FILE", help="outside of a cluster: how to reach it"
    )
    _add_chat(parser)
    parser.add_argument(
        "--accounting",
        default=env("BOTYARD_ACCOUNTING", ""),
        metavar="STORAGE",
        help="where events of accounting are written, file:///folder (docs/accounting.md); by default nowhere",
    )
    _add_limits(parser)
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


def _add_chat(parser: argparse.ArgumentParser) -> None:
    env = os.environ.get
    parser.add_argument(
        "--chat-namespace",
        default=env("BOTYARD_CHAT_NAMESPACE", ""),
        metavar="NAME",
        help="namespace of the bots of /sse and /socket.io; by default the one that `tenant` names, or the only one",
    )
    parser.add_argument(
        "--chat-anonymous",
        action="store_true",
        default=env("BOTYARD_CHAT_ANONYMOUS", "") == "true",
        help="let in who proves nothing, as far as system:anonymous may use a bot",
    )
    for kind in ("paid", "privileged"):
        parser.add_argument(
            f"--{kind}-group",
            action="append",
            default=None,
            metavar="GROUP",
            help=f"group whose users are of type {kind}; may be repeated (BOTYARD_{kind.upper()}_GROUPS)",
        )
    parser.add_argument(
        "--chat-limits",
        default=env("BOTYARD_CHAT_LIMITS", ""),
        metavar="TYPE=HOURLY/BURST[,…]",
        help="messages an hour and a minute by type of user, such as registered=600/30,privileged=unlimited/200",
    )
    parser.add_argument(
        "--socket-transport",
        action="append",
        default=None,
        choices=TRANSPORTS,
        help="how clients of Socket.IO may connect; may be repeated, by default both. Without polling several "
        "gateways need no sticky load balancer (BOTYARD_SOCKET_TRANSPORTS)",
    )


def _chat(args: argparse.Namespace, redis_url: str) -> ChatSettings:
    rules = UserRules(
        paid_groups=frozenset(_list(args.paid_group, "BOTYARD_PAID_GROUPS")),
        privileged_groups=frozenset(_list(args.privileged_group, "BOTYARD_PRIVILEGED_GROUPS")),
        anonymous=args.chat_anonymous,
        allowances=allowances_of(args.chat_limits),
    )
    transports = tuple(_list(args.socket_transport, "BOTYARD_SOCKET_TRANSPORTS")) or TRANSPORTS
    if unknown := set(transports).difference(TRANSPORTS):
        raise ValueError(f"BOTYARD_SOCKET_TRANSPORTS names {min(unknown)!r}: there are {', '.join(TRANSPORTS)}")
    return ChatSettings(
        namespace=args.chat_namespace, rules=rules, redis_url=_manager_url(redis_url), transports=transports
    )


def _manager_url(redis_url: str) -> str:
    """Return the URL as python-socketio takes it; empty where it cannot take it."""
    url, _ = acknowledgement.split(redis_url)
    return url if url.startswith(("redis://", "rediss://", "unix://")) else ""


def _add_limits(parser: argparse.ArgumentParser) -> None:
    for name, kind, default, what in (
        ("rate", _rate, 20.0, "messages a second of one user to one bot; 0: no limit"),
        ("burst", _count, 100, "messages at once of one user to one bot"),
        ("bot-rate", _rate, 0.0, "messages a second of all users to one bot; 0: no limit"),
        ("bot-burst", _count, 1000, "messages at once of all users to one bot"),
        ("max-pending", _count, MAX_PENDING, "events that wait in one partition of a bot before more are refused"),
        ("max-file", _file_size, MAX_BYTES, "bytes of one file"),
        ("max-files", _count, FileLimits().bot_bytes, "bytes of all files of one bot together"),
        ("max-streams", _count, 5000, "event streams open at once"),
        ("write-timeout", _seconds, 20.0, "seconds after which a client that does not read is dropped"),
    ):
        # As text, so that what the environment says is checked as what the command line says.
        value = os.environ.get("BOTYARD_" + name.upper().replace("-", "_"), str(default))
        parser.add_argument(f"--{name}", type=kind, default=value, metavar="N", help=f"{what} (%(default)s)")


def _file_size(text: str) -> int:
    value = _count(text)
    if value > MAX_BYTES:
        raise argparse.ArgumentTypeError(f"must be {MAX_BYTES} or less, not {text}")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {text}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be more than 0, not {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return value


def _add_oidc(parser: argparse.ArgumentParser) -> None:
    env = os.environ.get
    parser.add_argument(
        "--oidc-issuer", default=env("BOTYARD_OIDC_ISSUER", ""), metavar="URL", help="issuer, as tokens name it"
    )
    parser.add_argument(
        "--oidc-audience",
        action="append",
        default=None,
        metavar="NAME",
        help="audience of which tokens must have one; may be repeated (BOTYARD_OIDC_AUDIENCES, comma-separated)",
    )
    parser.add_argument(
        "--oidc-algorithms",
        default=env("BOTYARD_OIDC_ALGORITHMS", "RS256,ES256"),
        metavar="NAMES",
        help="what tokens may be signed by (%(default)s)",
    )
    parser.add_argument(
        "--oidc-ca",
        type=Path,
        default=_path(env("BOTYARD_OIDC_CA_FILE")),
        metavar="FILE",
        help="certificates of the issuer's authority, instead of the system's",
    )
    for name, default, what in (
        ("user-claim", "sub", "claim that names the user"),
        ("user-prefix", "oidc:", "what stands before users' names in RBAC"),
        ("groups-claim", "groups", "claim that lists groups"),
        ("groups-prefix", "oidc:", "what stands before groups' names in RBAC"),
    ):
        variable = "BOTYARD_OIDC_" + name.upper().replace("-", "_")
        parser.add_argument(f"--oidc-{name}", default=env(variable, default), help=f"{what} (%(default)s)")


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
    auth = _ways(args.auth)
    if "tokens" in auth and args.tokens is None:
        raise ValueError(f"--auth {args.auth} needs --tokens FILE")
    if not auth and not is_loopback(args.host):
        raise ValueError(
            f"--auth none would let everybody in who reaches {args.host}; listen on 127.0.0.1, or choose another --auth"
        )
    return Settings(
        host=args.host,
        port=args.port,
        redis_url=redis_url,
        auth=auth,
        tokens_file=args.tokens,
        audiences=_list(args.audience, "BOTYARD_AUDIENCES"),
        oidc=_oidc(args) if "oidc" in auth else None,
        cors_origins=_origins(_list(args.cors_origin, "BOTYARD_CORS_ORIGINS")),
        routes_file=args.routes,
        channels_file=args.channels,
        system_namespace=args.namespace,
        kubeconfig=args.kubeconfig,
        rate=args.rate,
        burst=args.burst,
        bot_rate=args.bot_rate,
        bot_burst=args.bot_burst,
        max_pending=args.max_pending,
        file_limits=FileLimits(file_bytes=args.max_file, bot_bytes=args.max_files),
        max_streams=args.max_streams,
        write_timeout=args.write_timeout,
        drain_delay=args.drain_delay,
        drain_timeout=args.drain_timeout,
        accounting=args.accounting,
        chat=_chat(args, redis_url),
    )


def _ways(text: str) -> frozenset[str]:
    if text == "none":
        return frozenset()
    ways = frozenset(text.split("+"))
    if not ways <= set(AUTHENTICATORS):
        raise ValueError(f"--auth must join {', '.join(AUTHENTICATORS)} by +, or be none; not {text}")
    return ways


def _oidc(args: argparse.Namespace) -> OidcSettings:
    if not args.oidc_issuer:
        raise ValueError(f"--auth {args.auth} needs --oidc-issuer URL")
    audiences = _list(args.oidc_audience, "BOTYARD_OIDC_AUDIENCES")
    if not audiences:
        raise ValueError(
            f"--auth {args.auth} needs --oidc-audience NAME: without one, tokens for other applications would be let in"
        )
    return OidcSettings(
        issuer=args.oidc_issuer,
        audiences=audiences,
        algorithms=tuple(_words(args.oidc_algorithms)),
        ca_file=args.oidc_ca,
        user_claim=args.oidc_user_claim,
        user_prefix=args.oidc_user_prefix,
        groups_claim=args.oidc_groups_claim,
        groups_prefix=args.oidc_groups_prefix,
    )


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        parts = urlsplit(origin)
        if origin != "*" and (parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}"):
            raise ValueError(f"--cors-origin {origin} is no origin such as https://chat.example.com")
    return origins


def _list(given: Sequence[str] | None, variable: str) -> tuple[str, ...]:
    return tuple(given if given is not None else _words(os.environ.get(variable, "")))


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
