"""The control group below which the kubelet puts all pods of this cluster.

An own one for two reasons: a kubelet removes pods that it does not know from its group, so that two clusters must not
share one; and its members are exactly the processes that `down` has to end, whoever started them and whatever died.
"""

import contextlib
import os
import time
from pathlib import Path

from localcluster.errors import ClusterError
from localcluster.layout import Layout, digest
from localcluster.processes import Identity, identify, kill

MOUNT = Path("/sys/fs/cgroup")
REMOVE_SECONDS = 10.0
WEIGHT = 16
"""How many processes of the machine all pods together weigh. A group begins with the weight of one: on a busy machine
pods then take minutes to start, and probes end them."""
_WEIGHTS = {"cpu.shares": 1024 * WEIGHT, "cpu.weight": 100 * WEIGHT}
"""By the files of cgroup v1 and v2."""


def group_name(layout: Layout) -> str:
    """Return the group's name: one for each state folder."""
    return f"botyard-{digest(str(layout.state))[:8]}"


def hierarchies(mount: Path = MOUNT) -> list[Path]:
    """Return the roots of all hierarchies: one with cgroup v2, one for each controller with v1."""
    if (mount / "cgroup.controllers").exists():
        return [mount]
    # Links are second names of joint controllers.
    return sorted(
        folder for folder in mount.glob("*") if not folder.is_symlink() and (folder / "cgroup.procs").exists()
    )


def ensure_group(layout: Layout) -> None:
    """Create the group in every hierarchy; the kubelet fills in the rest.

    Raises:
        ClusterError: The control groups are not mounted or not writable.
    """
    roots = hierarchies()
    if not roots:
        raise ClusterError(f"No control groups are mounted at {MOUNT}, and containers need them.")
    for root in roots:
        group = root / group_name(layout)
        try:
            group.mkdir(exist_ok=True)
            for name, weight in _WEIGHTS.items():
                if (group / name).exists():
                    (group / name).write_text(str(weight))
        except OSError as error:
            raise ClusterError(
                f"The control group {group} cannot be created ({error.strerror}). Inside of a "
                "container the cluster needs --privileged."
            ) from error


def members(layout: Layout) -> list[Identity]:
    """Return the processes of all containers of this cluster."""
    pids: set[int] = set()
    for root in hierarchies():
        for folder, _, _ in os.walk(root / group_name(layout)):
            with contextlib.suppress(OSError):
                pids.update(map(int, (Path(folder) / "cgroup.procs").read_text().split()))
    found = [identify(pid) for pid in sorted(pids)]
    return [identity for identity in found if identity is not None]


def remove_group(layout: Layout) -> None:
    """Kill all members and remove the group with everything below it.

    Raises:
        ClusterError: Processes remain in it.
    """
    deadline = time.monotonic() + REMOVE_SECONDS
    while True:
        kill(members(layout))
        left = [root / group_name(layout) for root in hierarchies() if (root / group_name(layout)).exists()]
        if not left:
            return
        for group in left:
            for folder, _, _ in os.walk(group, topdown=False):
                # A process that is just ending still holds its group for a moment.
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        if time.monotonic() > deadline:
            raise ClusterError(f"The control group {left[0]} still has processes; run the command again.")
        time.sleep(0.02)
