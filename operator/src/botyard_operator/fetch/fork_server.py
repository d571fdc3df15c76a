"""Fetch children without the start of an interpreter: forked from a process that has everything imported.

`python -m botyard_operator.fetch.fork_server FD` listens on a socket of the operator. Each message is a work folder
with four descriptors: the child's stdin and stderr, where its report goes, and where its process id and, at its end,
its exit code are written. The server never sees a request, so that a child inherits nothing of what another one got to
know. A child is the leader of a process group and limits itself (`child`).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
import traceback

from botyard_operator.fetch import child
from botyard_operator.fetch.limits import die_with_parent

MAX_MESSAGE = 4096
DESCRIPTORS = 4


def serve(connection: socket.socket) -> None:
    """Fork a child for each message until the operator hangs up; then kill those that are left."""
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, 1 << 12)
                _reap(children)
            if connection not in ready:
                continue
            message, descriptors, _, _ = socket.recv_fds(connection, MAX_MESSAGE, DESCRIPTORS)
            if not message:
                break
            inherited = [connection.fileno(), woken, wake, *children.values()]
            _fork(message.decode(), descriptors, inherited, children)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _fork(work_dir: str, descriptors: list[int], inherited: list[int], children: dict[int, int]) -> None:
    stdin, stderr, report, status = descriptors
    pid = os.fork()
    if pid == 0:
        _be_child(work_dir, stdin, stderr, report, [status, *inherited])
    # Both sides do this, so that the group exists for whoever is told the id.
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)
    children[pid] = status
    with contextlib.suppress(OSError):
        os.write(status, f"{pid}\n".encode())
    for descriptor in (stdin, stderr, report):
        os.close(descriptor)


def _be_child(work_dir: str, stdin: int, stderr: int, report: int, inherited: list[int]) -> None:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)
        for descriptor in inherited:
            os.close(descriptor)
        os.dup2(stdin, 0)
        os.dup2(stderr, 2)
        os.close(stdin)
        os.close(stderr)
        os.chdir(work_dir)
        code = child.main(report)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def _reap(children: dict[int, int]) -> None:
    while children:
        pid, ended = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        status = children.pop(pid, None)
        if status is not None:
            with contextlib.suppress(OSError):
                os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
            os.close(status)


def main(descriptor: int) -> None:
    """Serve on an inherited socket."""
    die_with_parent()
    # Loaded once instead of in each child, where it looks for prctl.
    ctypes.CDLL(None)
    # What is here already is never collected, and so its pages are never copied.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=descriptor) as connection:
        serve(connection)


if __name__ == "__main__":
    main(int(sys.argv[1]))
