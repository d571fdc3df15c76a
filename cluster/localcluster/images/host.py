"""How this machine reaches package sources, handed to builds without leaving a trace in the images.

pip and apt inside of a build see the machine's settings as files that are mounted for the time of each command.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from localcluster.commands import run
from localcluster.errors import ClusterError
from localcluster.layout import write_if_changed

CA_BUNDLES = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))
MOUNTED_CA = "/run/build-ca.crt"
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
APT_SETTINGS = re.compile(r"^Acquire::(http|https|Check-|Retries|Max-ValidTime)", re.IGNORECASE)


def write_build_mounts(folder: Path, sources_list: str) -> list[str]:
    """Write the files and return the `--volume` options that mount them.

    Args:
        folder: Where the files go.
        sources_list: Content of apt's sources.list for the build.
    """
    certificates = next((bundle for bundle in CA_BUNDLES if bundle.is_file()), None)
    write_if_changed(folder / "pip.conf", pip_conf(pip_settings(), certificates is not None), mode=0o600)
    write_if_changed(folder / "apt.conf", apt_conf(_apt_dump(), certificates is not None), mode=0o600)
    write_if_changed(folder / "sources.list", sources_list, mode=0o644)
    mounts = {
        folder / "pip.conf": "/etc/pip.conf",
        folder / "apt.conf": "/etc/apt/apt.conf.d/99build",
        folder / "sources.list": "/etc/apt/sources.list",
    }
    if certificates is not None:
        mounts[certificates] = MOUNTED_CA
    return [f"--volume={source}:{target}:ro" for source, target in mounts.items()]


def pip_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return pip's settings on this machine, by name, from its files and from its environment."""
    settings: dict[str, str] = {}
    try:
        listed = run(["python3", "-m", "pip", "config", "list"], env=environment)
    except ClusterError:  # a Python without pip has no settings for it either
        listed = ""
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.strip().rpartition(".")
        if section in ("global", "install", ":env:"):
            settings[name] = value.strip().strip("'\"")
    for name in PIP_SETTINGS:
        override = environment.get("PIP_" + name.replace("-", "_").upper())
        if override:
            settings[name] = override
    return {name: settings[name] for name in PIP_SETTINGS if name in settings}


def pip_conf(settings: Mapping[str, str], certificates: bool) -> str:
    """Return a pip.conf."""
    lines = [f"{name} = {value}" for name, value in settings.items()]
    if certificates:
        lines.append(f"cert = {MOUNTED_CA}")
    return "\n".join(["[global]", *lines, ""])


def apt_conf(dump: str, certificates: bool) -> str:
    """Return apt settings for the build.

    Args:
        dump: What `apt-config dump` prints on this machine; proxies, certificates and date checks are taken over.
        certificates: Whether a certificate bundle is mounted.
    """
    lines = [line for line in dump.splitlines() if APT_SETTINGS.match(line) and "::CaInfo" not in line]
    if certificates:
        lines.append(f'Acquire::https::CaInfo "{MOUNTED_CA}";')
    return "\n".join([*lines, ""])


def debian_mirror(apt_folder: Path = Path("/etc/apt")) -> str:
    """Return the Debian mirror that this machine uses; empty where it names none (debootstrap has a default then)."""
    texts = [path.read_text() for path in (apt_folder / "sources.list",) if path.is_file()]
    texts += [path.read_text() for path in sorted(apt_folder.glob("sources.list.d/*.list"))]
    texts += [path.read_text() for path in sorted(apt_folder.glob("sources.list.d/*.sources"))]
    for text in texts:
        for line in text.splitlines():
            found = re.match(r"(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(https?://\S+)", line)
            if found and re.search(r"/debian/?$", found[1]):
                return found[1]
    return ""


def _apt_dump() -> str:
    return run(["apt-config", "dump"]) if shutil.which("apt-config") else ""
