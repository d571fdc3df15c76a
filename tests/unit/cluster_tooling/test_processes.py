"""Only the cluster's own processes are ever found, restarted or ended."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from localcluster.errors import ClusterError
from localcluster.layout import Layout, write_if_changed
from localcluster.processes import Component, Supervisor, check_port, identify, is_alive, port_owner, terminate

SLEEPER = Component(name="sleeper", argv=["/bin/sleep", "300"])


@pytest.fixture
def supervisor(layout: Layout) -> Iterator[Supervisor]:
    layout.state.mkdir(parents=True)
    result = Supervisor(layout)
    yield result
    terminate(result.strays())


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_what_runs_as_wanted_is_left_alone(supervisor: Supervisor) -> None:
    assert supervisor.ensure(SLEEPER)
    before = supervisor.running("sleeper")
    assert not supervisor.ensure(SLEEPER)
    assert before is not None
    assert supervisor.running("sleeper") == before


def test_a_killed_process_is_started_again(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    before = supervisor.running("sleeper")
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    assert eventually(lambda: not is_alive(before))
    assert supervisor.ensure(SLEEPER)
    after = supervisor.running("sleeper")
    assert after is not None
    assert after != before


@pytest.mark.parametrize(
    "changed",
    [replace(SLEEPER, argv=["/bin/sleep", "301"]), replace(SLEEPER, inputs=["another configuration"])],
    ids=["command line", "configuration"],
)
def test_a_changed_component_replaces_the_running_one(supervisor: Supervisor, changed: Component) -> None:
    supervisor.ensure(SLEEPER)
    before = supervisor.running("sleeper")
    assert before is not None
    assert supervisor.ensure(changed)
    assert not is_alive(before)


def test_it_survives_the_command_that_started_it(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    running = supervisor.running("sleeper")
    assert running is not None
    assert os.getsid(running.pid) != os.getsid(0)


def test_a_reused_pid_is_not_ours(supervisor: Supervisor, layout: Layout) -> None:
    foreign = subprocess.Popen(["/bin/sleep", "300"])
    try:
        record = {"version": SLEEPER.version, "pid": foreign.pid, "start_ticks": 1, "boot_id": "an earlier boot"}
        write_if_changed(layout.run / "sleeper.json", json.dumps(record))
        assert supervisor.running("sleeper") is None
        supervisor.stop("sleeper")
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


@pytest.mark.parametrize("record", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_broken_record_counts_as_none(supervisor: Supervisor, layout: Layout, record: str) -> None:
    write_if_changed(layout.run / "sleeper.json", record)
    assert supervisor.running("sleeper") is None
    assert supervisor.ensure(SLEEPER)


def test_a_process_whose_record_is_lost_is_found_by_its_mark_and_replaced(
    supervisor: Supervisor, layout: Layout
) -> None:
    supervisor.ensure(SLEEPER)
    lost = supervisor.running("sleeper")
    assert lost is not None
    (layout.run / "sleeper.json").unlink()
    # The kernel shows the environment a moment after the program has started.
    assert eventually(lambda: supervisor.strays() == [lost])
    supervisor.ensure(SLEEPER)
    assert not is_alive(lost)


def test_processes_of_another_cluster_are_no_strays(supervisor: Supervisor, layout: Layout) -> None:
    environment = {**os.environ, "BOTYARD_CLUSTER_STATE": f"{layout.state}-other"}
    foreign = subprocess.Popen(["/bin/sleep", "300"], env=environment)
    try:
        assert supervisor.strays() == []
    finally:
        foreign.kill()
        foreign.wait()


def test_a_process_that_ignores_the_request_is_killed(supervisor: Supervisor) -> None:
    deaf = Component(name="deaf", argv=["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"])
    supervisor.ensure(deaf)
    log = supervisor._layout.logs / "deaf.log"
    assert eventually(lambda: log.read_text() == "deaf\n")
    running = supervisor.running("deaf")
    assert running is not None
    terminate([running], grace=0.2)
    assert not is_alive(running)


def test_waiting_ends_with_the_log_when_the_process_ends(supervisor: Supervisor) -> None:
    supervisor.ensure(Component(name="crash", argv=["/bin/sh", "-c", "echo cannot bind; sleep 0.3; exit 3"]))
    with pytest.raises(ClusterError, match=r"crash ended while waiting for it(.|\n)*cannot bind"):
        supervisor.wait("crash", lambda: False, seconds=30, what="it")


def test_waiting_ends_with_the_time(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    with pytest.raises(ClusterError, match="the moon is not up: not within 0 s"):
        supervisor.wait("sleeper", lambda: False, seconds=0.1, what="the moon is not up")


def test_a_missing_binary_is_told(supervisor: Supervisor) -> None:
    with pytest.raises(ClusterError, match="ghost does not start"):
        supervisor.ensure(Component(name="ghost", argv=["/nonexistent/ghost"]))


def test_a_port_in_use_names_its_owner() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"Port 127.0.0.1:{port}.*etcd.*\(pid {os.getpid()}\).*Stop that"):
            check_port("etcd", "127.0.0.1", port)
    assert port_owner(port) is None


def test_a_listener_on_another_address_is_in_nobodys_way() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.2", 0))) as server:
        port = server.getsockname()[1]
        check_port("etcd", "127.0.0.1", port)
        assert port_owner(port, "127.0.0.2") is not None


def test_a_listener_on_all_addresses_is_in_everybodys_way() -> None:
    with contextlib.closing(socket.create_server(("0.0.0.0", 0))) as server:
        assert port_owner(server.getsockname()[1], "127.0.0.1") is not None


def test_an_ended_process_that_nobody_waited_for_is_not_alive() -> None:
    child = subprocess.Popen(["/bin/sleep", "300"])
    identity = identify(child.pid)
    assert identity is not None
    child.kill()
    assert eventually(lambda: not is_alive(identity))
    child.wait()
