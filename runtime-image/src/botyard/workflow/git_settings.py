"""What the environment says about bundles from git."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SHALLOW_DEPTH = 50
KEEP = 3
DEFAULT_ROOT = "/bundles"
_FALSE = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class GitSettings:
    """How bundles are fetched and kept."""

    root: Path
    """Where they are cloned: HOST_BUNDLES_PATH, AGENTIC_BUNDLES_ROOT, or `/bundles`."""
    depth: int | None
    """BUNDLE_GIT_CLONE_DEPTH, or 50 with BUNDLE_GIT_SHALLOW; None: the whole history."""
    always_pull: bool
    """BUNDLE_GIT_ALWAYS_PULL: look for a newer commit whenever a bundle is resolved."""
    atomic: bool
    """BUNDLE_GIT_ATOMIC, on unless it is turned off: each update gets a folder of its own."""
    keep: int
    """BUNDLE_GIT_KEEP: folders of one bundle that stay."""
    ttl_hours: float
    """BUNDLE_GIT_TTL_HOURS: older folders go, too; 0: never for their age."""

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> "GitSettings":
        """Read them; numbers that are none count as not set."""
        env = os.environ if environment is None else environment
        depth = _number(env.get("BUNDLE_GIT_CLONE_DEPTH"), 0)
        if depth <= 0 and _flag(env.get("BUNDLE_GIT_SHALLOW"), default=False):
            depth = SHALLOW_DEPTH
        return cls(
            root=bundles_root(env),
            depth=int(depth) if depth > 0 else None,
            always_pull=_flag(env.get("BUNDLE_GIT_ALWAYS_PULL"), default=False),
            atomic=_flag(env.get("BUNDLE_GIT_ATOMIC"), default=True),
            keep=max(1, int(_number(env.get("BUNDLE_GIT_KEEP"), KEEP))),
            ttl_hours=max(0.0, _number(env.get("BUNDLE_GIT_TTL_HOURS"), 0)),
        )


def bundles_root(environment: Mapping[str, str] | None = None) -> Path:
    """Return where bundles are cloned."""
    env = os.environ if environment is None else environment
    return Path(env.get("HOST_BUNDLES_PATH") or env.get("AGENTIC_BUNDLES_ROOT") or DEFAULT_ROOT)


def git_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of git: it never asks a person, and uses the key that GIT_SSH_KEY_PATH names."""
    env = dict(os.environ if environment is None else environment)
    env["GIT_TERMINAL_PROMPT"] = "0"
    # An address with a token in the place of the user has no password: an empty one is sent.
    env.setdefault("GIT_ASKPASS", "true")
    if not env.get("GIT_SSH_COMMAND") and (command := ssh_command(env)):
        env["GIT_SSH_COMMAND"] = command
    return env


def ssh_command(env: Mapping[str, str]) -> str | None:
    """Return the command by which git reaches hosts over SSH, or None for git's own."""
    key, known = env.get("GIT_SSH_KEY_PATH"), env.get("GIT_SSH_KNOWN_HOSTS")
    strict = env.get("GIT_SSH_STRICT_HOST_KEY_CHECKING")
    if not (key or known or strict):
        return None
    words = ["ssh", "-o", "BatchMode=yes"]
    if key:
        words += ["-i", key, "-o", "IdentitiesOnly=yes"]
    if strict:
        words += ["-o", f"StrictHostKeyChecking={strict}"]
    if known:
        words += ["-o", f"UserKnownHostsFile={known}"]
    return shlex.join(words)


def _number(text: str | None, otherwise: float) -> float:
    try:
        return float(text) if text else otherwise
    except ValueError:
        return otherwise


def _flag(text: str | None, *, default: bool) -> bool:
    return default if text is None or not text.strip() else text.strip().lower() not in _FALSE
