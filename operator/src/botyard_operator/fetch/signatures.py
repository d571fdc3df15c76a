"""Signatures of commits and tags, made with SSH or OpenPGP keys and checked by git with the given keys alone."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.remote import TARGET, GitFailed, Remote
from botyard_operator.fetch.request import Ref, Verification

_ARMOUR = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_SSH_KEY = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+(?: .*)?")
_SSH_GOOD = re.compile(r'^Good "git" signature for \S+ with (?P<key>\S+ key \S+)', re.MULTILINE)
_PGP_GOOD = re.compile(r"^\[GNUPG:\] VALIDSIG (?P<key>[0-9A-F]+)", re.MULTILINE)
_SIGNATURE = re.compile(r"^(?:gpgsig(?:-sha256)? |-----BEGIN (?:PGP|SSH) SIGNATURE-----)", re.MULTILINE)
_TAG_NAME = re.compile(r"^tag (?P<name>.*)$", re.MULTILINE)
_MAX_OBJECT = 1024 * 1024


def split_keys(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the SSH keys, one a line, and the armoured OpenPGP keys of the entries of a Secret.

    Raises:
        ValueError: an entry is neither.
    """
    ssh: list[str] = []
    pgp: list[str] = []
    for text in texts:
        if _ARMOUR in text:
            pgp.append(text)
            continue
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if not lines or not all(_SSH_KEY.fullmatch(line) for line in lines):
            raise ValueError("it holds neither SSH public keys nor an armoured OpenPGP public key")
        ssh.extend(lines)
    return ssh, pgp


class Signatures:
    """Checks what was fetched from one remote."""

    def __init__(self, remote: Remote, folder: Path, verification: Verification) -> None:
        """Prepare.

        Args:
            remote: holds the objects.
            folder: private; gets files of its own for the keys.
            verification: what must be signed, and the keys of which one must have signed.
        """
        self._remote = remote
        self._verification = verification
        self._folder = folder / "signers"

    def check(self, commit: str, ref: Ref) -> str:
        """Return who signed.

        Args:
            commit: what was fetched.
            ref: what it was fetched by; for tags, the tag that is kept locally.

        Raises:
            FetchError: NotSigned, SignatureRefused or CredentialsInvalid.
        """
        config = self._import()
        told = []
        if self._verification.of_tag:
            told.append(f"tag {ref.name} {self._check_tag(ref, config)}")
        if self._verification.of_commit:
            told.append(f"commit {commit[:12]} {self._verify('commit', commit, f'commit {commit[:12]}', config)}")
        return "; ".join(told)

    def _check_tag(self, ref: Ref, config: list[str]) -> str:
        kind = self._remote.object_type(TARGET)
        if kind != "tag":
            raise FetchError(
                Reason.NOT_SIGNED,
                f"tag {ref.name} of {self._remote.url} bears no signature; sign it (`git tag -s`), or change "
                "spec.git.verify.mode.",
            )
        # A signature covers the name inside of the tag, not the ref: an old signed tag may stand under a new name.
        name = _TAG_NAME.search(self._remote.text_of(TARGET, _MAX_OBJECT))
        if name is None or name["name"] != ref.name:
            raise FetchError(
                Reason.SIGNATURE_REFUSED,
                f"tag {ref.name} of {self._remote.url} was signed under the name {name['name'] if name else ''!r}; "
                "somebody may pass an old revision off as a new one.",
            )
        return self._verify("tag", TARGET, f"tag {ref.name}", config)

    def _verify(self, kind: str, name: str, shown: str, config: list[str]) -> str:
        try:
            said = self._remote.verify(kind, name, config)
        except GitFailed as failure:
            if not _SIGNATURE.search(self._remote.text_of(name, _MAX_OBJECT)):
                raise FetchError(
                    Reason.NOT_SIGNED,
                    f"{shown} of {self._remote.url} bears no signature; sign it (`git {kind} -S`), or remove "
                    "spec.git.verify.",
                ) from None
            raise FetchError(
                Reason.SIGNATURE_REFUSED,
                f"{shown} of {self._remote.url} is not signed by any key of the Secret in spec.git.verify.secretRef; "
                f"add the signer's public key, if you trust it. git: {_last_line(failure.stderr)}",
            ) from failure
        good = _SSH_GOOD.search(said) or _PGP_GOOD.search(said)
        if good is None:
            raise FetchError(Reason.SIGNATURE_REFUSED, f"{shown} of {self._remote.url}: git does not say who signed.")
        return f"is signed by {good['key']}"

    def _import(self) -> list[str]:
        """Write the keys where ssh-keygen and gpg find them, and nothing else; return git's configuration."""
        ssh, pgp = split_keys(self._verification.keys)
        self._folder.mkdir(mode=0o700)
        signers, home = self._folder / "allowed_signers", self._folder / "gnupg"
        signers.write_text("".join(f'key-{number} namespaces="git" {key}\n' for number, key in enumerate(ssh, 1)))
        home.mkdir(mode=0o700)
        if pgp:
            # No agent, no key server, nothing but this folder.
            (home / "gpg.conf").write_text("no-autostart\nno-auto-key-locate\nno-auto-key-retrieve\nbatch\nno-tty\n")
            # gpg looks whether an agent runs: a long path of its socket is an error, one that leads nowhere is not.
            (home / "S.gpg-agent").write_text("%Assuan%\nsocket=/nonexistent/agent\n")
            environment = self._remote.with_environment(GNUPGHOME=str(home))
            done = subprocess.run(
                ["gpg", "--quiet", "--import"],
                input="\n".join(pgp).encode(),
                env=environment,
                capture_output=True,
                check=False,
            )
            if done.returncode:
                raise FetchError(
                    Reason.CREDENTIALS_INVALID,
                    "the Secret in spec.git.verify.secretRef holds an OpenPGP key that gpg cannot import: "
                    f"{_last_line(done.stderr.decode(errors='replace'))}.",
                )
        return [f"gpg.ssh.allowedSignersFile={signers}", "gpg.program=gpg", "gpg.ssh.program=ssh-keygen"]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("[GNUPG:]")]
    said = lines[-1] if lines else "the signature does not verify"
    return "".join(char if char.isprintable() else "?" for char in said)[:200]
