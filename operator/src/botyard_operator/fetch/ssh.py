"""SSH as git uses it: one key, the hosts that the Secret vouches for, and nothing of the machine's own configuration.

ssh looks for its configuration in the home of the user database, whatever HOME says; so each fetch gets a
configuration file of its own, and no other is read.
"""

import os
import shlex
import subprocess
from pathlib import Path

from botyard_operator.fetch.request import Credentials

_CONNECT_SECONDS = 15
_CONFIG = """\
Host *
  AddKeysToAgent no
  CanonicalizeHostname no
  CheckHostIP no
  ClearAllForwardings yes
  ConnectTimeout {connect}
  ControlMaster no
  ControlPath none
  ForwardAgent no
  GlobalKnownHostsFile none
  GSSAPIAuthentication no
  HostbasedAuthentication no
  IdentitiesOnly yes
  IdentityAgent none
  IdentityFile "{identity}"
  KbdInteractiveAuthentication no
  LogLevel ERROR
  NumberOfPasswordPrompts 1
  PasswordAuthentication no
  PermitLocalCommand no
  PreferredAuthentications publickey
  ServerAliveCountMax 4
  ServerAliveInterval 5
  StrictHostKeyChecking yes
  UpdateHostKeys no
  UserKnownHostsFile "{known_hosts}"
"""


def ssh_environment(folder: Path, credentials: Credentials) -> dict[str, str]:
    """Write what ssh needs into a folder and return the environment that makes git use it.

    Args:
        folder: an empty private folder; whoever made it removes it.
        credentials: with `identity` and `known_hosts`.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(mode=0o700)
    identity, known_hosts, config = folder / "identity", folder / "known_hosts", folder / "config"
    _write(identity, credentials.identity)
    _write(known_hosts, credentials.known_hosts)
    _write(config, _CONFIG.format(identity=identity, known_hosts=known_hosts, connect=_CONNECT_SECONDS))
    env = {"GIT_SSH_COMMAND": f"ssh -F {shlex.quote(str(config))}", "GIT_SSH_VARIANT": "ssh"}
    # ssh asks for a passphrase through a program only; its answer is read from a file, never from a command line.
    passphrase, program = folder / "passphrase", folder / "askpass"
    _write(passphrase, f"{credentials.passphrase}\n")
    _write(program, f"#!/bin/sh\nexec cat {shlex.quote(str(passphrase))}\n", mode=0o700)
    return {**env, "SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}


def key_opens(folder: Path) -> bool:
    """Return whether the key that `ssh_environment` wrote into a folder can be read with its passphrase."""
    env = {**os.environ, "SSH_ASKPASS": str(folder / "askpass"), "SSH_ASKPASS_REQUIRE": "force"}
    command = ["ssh-keygen", "-y", "-f", str(folder / "identity")]
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def _write(path: Path, text: str, *, mode: int = 0o600) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", newline="") as out:
        out.write(text)
