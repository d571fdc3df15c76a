"""From what git says on its standard error to a FetchError that a person can act on."""

import re
from dataclasses import dataclass

from botyard_operator.fetch.errors import FetchError, Reason

_MAX_DETAIL = 600


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    reason: Reason
    advice: str


def _rule(pattern: str, reason: Reason, advice: str) -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE), reason, advice)


_RULES = (
    _rule(
        r"no space left on device|disk quota exceeded",
        Reason.DISK_FULL,
        "the operator's artifact volume is full; enlarge it or retain fewer revisions",
    ),
    _rule(
        r"signal 25|file size limit|file too large|pack exceeds maximum",
        Reason.TOO_LARGE,
        "the download exceeds the installation's limit; use a smaller repository or shrink its history",
    ),
    _rule(
        r"out of memory|cannot allocate memory|mmap failed|signal 9",
        Reason.OUT_OF_MEMORY,
        "the fetch ran out of memory; raise the installation's fetch memory or use a smaller repository",
    ),
    _rule(r"transport '[^']*' not allowed", Reason.PROTOCOL_NOT_ALLOWED, "the transport is not allowed"),
    _rule(
        r"could not resolve (host|proxy)|name or service not known|temporary failure in name resolution",
        Reason.HOST_NOT_FOUND,
        "the host does not resolve; check spec.git.url and the cluster's DNS",
    ),
    _rule(
        r"remote host identification has changed",
        Reason.HOST_KEY_CHANGED,
        "the server shows another key than the entry known_hosts of the Secret in spec.git.secretRef has; somebody may "
        "be listening in, or the server was set up anew",
    ),
    _rule(
        r"host key is known for|host key verification failed",
        Reason.HOST_KEY_UNKNOWN,
        "the entry known_hosts of the Secret in spec.git.secretRef has no key of this server; add what ssh-keyscan "
        "prints, after comparing it with what the server's owner publishes",
    ),
    _rule(
        r"operation too slow|timed out after|operation timed out",
        Reason.TIMED_OUT,
        "the transfer stalled; check the network to the server",
    ),
    _rule(
        r"problem with the ssl ca cert|error setting certificate|error adding trust anchors|error reading ca cert",
        Reason.CREDENTIALS_INVALID,
        "the entry ca.crt of the Secret in spec.git.secretRef holds no certificate that can be read",
    ),
    _rule(
        r"ssl certificate|server certificate|certificate verif|self.signed|unable to get local issuer",
        Reason.CERTIFICATE_INVALID,
        "the server's certificate is not trusted; put its authority into the entry ca.crt of the Secret in "
        "spec.git.secretRef",
    ),
    _rule(
        r"tunnel failed, response 40[137]\b|code 40[137] from proxy|returned error: 407\b",
        Reason.AUTHENTICATION_FAILED,
        "the proxy refuses access; check the entry proxy of the Secret in spec.git.secretRef, or the operator's proxy",
    ),
    _rule(
        r"failed to connect|couldn't connect|connection refused|connection reset|network is unreachable"
        r"|no route to host|connection timed out|kex_exchange_identification|connection closed by",
        Reason.CONNECTION_FAILED,
        "the server cannot be reached; check spec.git.url and network policies",
    ),
    _rule(
        r"could not read (username|password)|terminal prompts disabled|authentication failed"
        r"|returned error: 40[13]\b|permission denied \(publickey",
        Reason.AUTHENTICATION_FAILED,
        "the server refuses access; check the Secret in spec.git.secretRef (or add one)",
    ),
    _rule(
        r"repository '[^']*' not found|returned error: (404|410)\b|does not appear to be a git repository"
        r"|error: repository not found",
        Reason.REPOSITORY_NOT_FOUND,
        "the server knows no such repository; check spec.git.url, and spec.git.secretRef when it is private",
    ),
    _rule(
        r"returned error: (5\d\d|429)\b",
        Reason.SERVER_ERROR,
        "the server has trouble or asks to slow down; it is tried again",
    ),
    _rule(
        r"couldn't find remote ref|could not find remote branch",
        Reason.REF_NOT_FOUND,
        "the ref is not on the server; check spec.git.ref",
    ),
    _rule(
        r"bad line length|protocol error|invalid server response|is this a git repository|bad pack header"
        r"|early eof|remote end hung up|unexpected disconnect|index-pack (failed|died)|pack has|malformed"
        r"|unexpected .*(packet|response|flush)|curl (18|56|92)|invalid index-pack output|empty reply"
        r"|expected (response|flush|packfile)|unknown object format|http/0\.9|weird server reply"
        r"|unsupported protocol|remote did not send|could not parse|header",
        Reason.REMOTE_UNREADABLE,
        "the server did not answer in git's protocol; check that spec.git.url is a repository's clone URL",
    ),
)

_REFUSES_COMMIT = re.compile(
    r"not our ref|unadvertised object|want [0-9a-f]{40} not valid|remote error: .*not (valid|found|permitted)",
    re.IGNORECASE,
)
_NAMES_NOTHING = re.compile(r"couldn't find remote ref|mismatched algorithms|object.format", re.IGNORECASE)
_REDIRECTED = re.compile(r"returned error: 30[1278]\b|from redirection", re.IGNORECASE)
_NOISE = re.compile(r"^(warning:|hint:|remote:|@@|please make sure|and the repository exists)", re.IGNORECASE)


def refuses_commit(stderr: str) -> bool:
    """Return whether the server declined to send an object by its bare id."""
    return _REFUSES_COMMIT.search(stderr) is not None


def names_nothing(stderr: str) -> bool:
    """Return whether the server has no such ref, or a repository with another hash than was thought."""
    return _NAMES_NOTHING.search(stderr) is not None


def was_redirected(stderr: str) -> bool:
    """Return whether git stopped because the server answered with a redirect."""
    return _REDIRECTED.search(stderr) is not None


def from_stderr(stderr: str, *, url: str) -> FetchError:
    """Return the error that git's words mean.

    Args:
        stderr: git's standard error, credentials removed.
        url: the remote as it may be shown.
    """
    for rule in _RULES:
        if rule.pattern.search(stderr):
            return FetchError(rule.reason, f"{url}: {rule.advice}. git: {_detail(stderr)}")
    return FetchError(Reason.FETCH_FAILED, f"{url}: git failed: {_detail(stderr)}")


def _detail(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not _NOISE.match(line)] or lines
    text = " / ".join(telling) or "no message"
    return "".join(char if char.isprintable() else "?" for char in text)[:_MAX_DETAIL]
