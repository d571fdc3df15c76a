"""Long-running host processes: started detached, recorded, recognised again, stopped.

A pid alone is no identity, because the kernel reuses it. A record therefore holds the pid with its start time (field 22
of /proc/PID/stat, in clock ticks since boot) and the boot's id. A process whose record was lost, because the run that
started it died between the two, is found by the marker in its environment. Nothing else is ever signalled.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from localcluster.errors import ClusterError
from localcluster.layout import Layout, digest, write_if_changed

PROC = Path("/proc")
STOP_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Identity:
    """A process, told apart from every other of this machine's history."""

    pid: int
    start_ticks: int
    boot_id: str


@dataclass(frozen=True)
class Component:
    """A host process of the cluster.

    Args:
        name: Name in logs and messages.
        argv: Command line.
        inputs: Text of the configuration files that it reads only at its start.
        ports: Ports that it listens on, by address.
    """

    name: str
    argv: Sequence[str]
    inputs: Sequence[str] = ()
    ports: Sequence[tuple[str, int]] = ()

    @property
    def version(self) -> str:
        """Digest of what the process was started with; another digest means that it must be restarted."""
        return digest(*self.argv, *self.inputs)


class Supervisor:
    """Starts and stops the components of one cluster."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def running(self, name: str) -> Identity | None:
        """Return the recorded process where it still runs."""
        record = self._record(name)
        return None if record is None or not is_alive(record[0]) else record[0]

    def is_current(self, component: Component) -> bool:
        """Whether the component runs with today's command line and configuration."""
        record = self._record(component.name)
        return record is not None and record[1] == component.version and is_alive(record[0])

    def ensure(self, component: Component) -> bool:
        """Start the component unless it runs as wanted; return whether it was started.

        Raises:
            ClusterError: A port that it needs is taken, or the binary does not start.
        """
        if self.is_current(component):
            return False
        self.stop(component.name)
        self._stop_strays(component)
        for address, port in component.ports:
            check_port(component.name, address, port)
        log = self._layout.logs / f"{component.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            try:
                child = subprocess.Popen(
                    list(component.argv),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=self._layout.state,
                    env=child_environment(self._layout, os.environ),
                )
            except OSError as error:
                raise ClusterError(f"{component.name} does not start: {error}") from error
        identity = identify(child.pid)
        if identity is None:
            raise ClusterError(f"{component.name} ended at once", log=log)
        record = {"version": component.version, **asdict(identity)}
        write_if_changed(self._layout.run / f"{component.name}.json", json.dumps(record))
        return True

    def wait(
        self, component: str, condition: Callable[[], bool], *, seconds: float, what: str, poll: float = 0.1
    ) -> None:
        """Wait until `condition` holds.

        Args:
            component: The process whose end makes waiting pointless and whose log explains a failure.
            condition: Asked every `poll` seconds.
            seconds: Time-out.
            what: What is waited for, for the message.
            poll: Seconds between two looks.

        Raises:
            ClusterError: The time is up or the process ended.
        """
        log = self._layout.logs / f"{component}.log"
        deadline = time.monotonic() + seconds
        while not condition():
            if self.running(component) is None:
                raise ClusterError(f"{component} ended while waiting for {what}; run the command again.", log=log)
            if time.monotonic() > deadline:
                raise ClusterError(f"{what}: not within {seconds:.0f} s.", log=log)
            time.sleep(poll)

    def stop(self, name: str) -> None:
        """End a recorded process and forget it; nothing happens where it is gone already."""
        record = self._record(name)
        if record is not None:
            terminate([record[0]])
        (self._layout.run / f"{name}.json").unlink(missing_ok=True)

    def kill(self, name: str) -> None:
        """End a recorded process at once and forget it; for when nothing of it is needed any more."""
        record = self._record(name)
        if record is not None:
            kill([record[0]])
        (self._layout.run / f"{name}.json").unlink(missing_ok=True)

    def strays(self) -> list[Identity]:
        """Return every process that carries this cluster's marker."""
        return find_marked(self._layout.marker)

    def _stop_strays(self, component: Component) -> None:
        name = Path(component.argv[0]).name
        terminate([stray for stray in self.strays() if program(stray.pid) == name])

    def _record(self, name: str) -> tuple[Identity, str] | None:
        try:
            record = json.loads((self._layout.run / f"{name}.json").read_text())
            identity = Identity(int(record["pid"]), int(record["start_ticks"]), str(record["boot_id"]))
            return identity, str(record["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def child_environment(layout: Layout, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of components: this one's, marked, without what would redirect them."""
    name, _, value = layout.marker.partition("=")
    kept = {key: text for key, text in environment.items() if key not in ("KUBECONFIG", "NOTIFY_SOCKET")}
    return {**kept, name: value}


def boot_id() -> str:
    """Return the id of this boot; start times are comparable only within one."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """Return the identity of a process; None where it has ended (a zombie has)."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The command may hold spaces and brackets; the fields after the last bracket start with the state (field 3).
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        return None
    return Identity(pid=pid, start_ticks=int(fields[19]), boot_id=boot_id())


def is_alive(identity: Identity) -> bool:
    """Whether exactly this process still runs."""
    return identify(identity.pid) == identity


def find_marked(marker: str) -> list[Identity]:
    """Return the processes whose environment contains `marker` as a whole entry."""
    wanted = marker.encode()
    found = []
    for folder in PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0"):
            identity = identify(int(folder.name))
            if identity is not None:
                found.append(identity)
    return found


def terminate(identities: Sequence[Identity], *, grace: float = STOP_GRACE_SECONDS) -> None:
    """End processes: SIGTERM, and SIGKILL for those that are still there after `grace` seconds."""
    _signal(identities, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while any(is_alive(identity) for identity in identities):
        if time.monotonic() > deadline:
            kill(identities)
            return
        time.sleep(0.02)


def kill(identities: Sequence[Identity], *, grace: float = STOP_GRACE_SECONDS) -> None:
    """End processes at once and wait until they are gone, for at most `grace` seconds."""
    _signal(identities, signal.SIGKILL)
    deadline = time.monotonic() + grace
    while any(is_alive(identity) for identity in identities) and time.monotonic() < deadline:
        time.sleep(0.02)


def check_port(component: str, address: str, port: int) -> None:
    """Make sure that nobody listens on the port.

    Raises:
        ClusterError: Somebody does; the message names the process where /proc tells.
    """
    owner = port_owner(port, address)
    if owner is not None:
        raise ClusterError(
            f"Port {address}:{port}, which {component} needs, is in use by {owner}. "
            "Stop that program, then run the command again."
        )


def port_owner(port: int, address: str = "") -> str | None:
    """Return who listens on a TCP port, as `name (pid N)`; None where nobody does.

    Args:
        port: The port.
        address: Only listeners on this IPv4 address or on all addresses count; empty: all count.
    """
    sockets = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            host, _, number = columns[1].rpartition(":")
            if columns[3] != "0A" or int(number, 16) != port:
                continue
            if not address or set(host) == {"0"} or host == _hex_address(address):
                sockets.add(columns[9])
    if not sockets:
        return None
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        links = _open_files(folder)
        if any(f"socket:[{inode}]" in links for inode in sockets):
            return f"{program(int(folder.name))} (pid {folder.name})"
    return "a process that this user may not see"


def _open_files(process: Path) -> set[str]:
    links = set()
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            # Files close while one looks, at least the one that lists the folder.
            with contextlib.suppress(OSError):
                links.add(str(link.readlink()))
    return links


def _hex_address(address: str) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


def program(pid: int) -> str:
    """Return the base name of a process's command; empty where it has ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace").rpartition("/")[2]
    except OSError:
        return ""


def _signal(identities: Sequence[Identity], number: signal.Signals) -> None:
    for identity in identities:
        if is_alive(identity):
            try:
                os.kill(identity.pid, number)
            except ProcessLookupError:
                continue
