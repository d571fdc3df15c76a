"""`botyard supervisor`: a supervisor with the files and the environment of its pod."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import uvloop

from botyard.contract import names
from botyard.core import acknowledgement
from botyard.core.connection import connect
from botyard.core.leases import LEASE_MS
from botyard.runtime import logs
from botyard.runtime.configuration import Configuration
from botyard.runtime.draining import Draining
from botyard.runtime.errors import LoadFailed
from botyard.runtime.supervisor import Supervisor
from botyard.tracing import tracer

log = logging.getLogger("botyard.main")

TERMINATION_LOG = Path("/dev/termination-log")
"""What is written here shows in the pod's status; the operator reads it."""
EXIT_LOAD_FAILED = 3
EXIT_REDIS_UNSUITED = 4


async def _supervise(options: argparse.Namespace, redis_url: str) -> int:
    configuration = Configuration(
        config=options.config,
        personas=options.personas,
        credentials=options.credentials,
        persona_secrets=options.persona_secrets,
    )
    configuration.load()
    redis = connect(redis_url)
    traces = tracer("botyard-runtime")
    supervisor = Supervisor(
        redis,
        configuration,
        replica=os.environ.get(names.ENV_REPLICA) or socket.gethostname(),
        socket_path=options.socket,
        bundle=options.bundle,
        model_keys=options.model_keys,
        health_port=options.health_port,
        health_port_file=options.port_file,
        lease_ms=options.lease_ms,
        revision=os.environ.get(names.ENV_REVISION, ""),
        draining=_draining(options),
        tracer=traces,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Beside the run: Redis may be away now, and says what it can do when it is back.
    confirmation = acknowledgement.confirming(redis, otherwise=stop.set)
    try:
        await supervisor.run(stop, drain_timeout=options.drain_timeout)
        if problem := acknowledgement.unsuited(confirmation):
            log.error("%s", problem)
            _leave_behind(str(problem))
            return EXIT_REDIS_UNSUITED
    except LoadFailed as error:
        log.error("the bundle cannot be imported: %s", error)
        _leave_behind(str(error))
        return EXIT_LOAD_FAILED
    finally:
        confirmation.cancel()
        await redis.aclose()
        await asyncio.to_thread(traces.close)
    return 0


def _draining(options: argparse.Namespace) -> Draining | None:
    revision = os.environ.get(names.ENV_DRAINING_REVISION, "")
    return Draining(revision, options.draining_socket, options.draining_bundle) if revision else None


def _leave_behind(message: str) -> None:
    """Tell the pod's status why it ended; outside a pod there is nobody to tell."""
    with contextlib.suppress(OSError):
        TERMINATION_LOG.write_text(message[:4000], encoding="utf-8")


def run_supervisor(argv: Sequence[str]) -> int:
    """Run a supervisor until it is told to stop.

    Args:
        argv: Command line; every option defaults to where the operator mounts things.

    Returns:
        The process's exit code: 0 after a clean drain, 3 when the bundle cannot be imported, 4 when Redis cannot do
        what its URL asks for.
    """
    parser = argparse.ArgumentParser(prog="botyard supervisor")
    parser.add_argument("--config", type=Path, default=Path(names.CONFIG_DIR))
    parser.add_argument("--personas", type=Path, default=Path(names.PERSONAS_DIR))
    parser.add_argument("--persona-secrets", type=Path, default=Path(names.PERSONA_SECRETS_DIR))
    parser.add_argument("--credentials", type=Path, default=Path(names.CREDENTIALS_DIR))
    parser.add_argument("--platform", type=Path, default=Path(names.PLATFORM_DIR))
    parser.add_argument("--model-keys", type=Path, default=Path(names.MODEL_KEYS_DIR))
    parser.add_argument("--bundle", type=Path, default=Path(names.BUNDLE_DIR))
    parser.add_argument("--socket", type=Path, default=Path(names.SOCKET_DIR) / names.WORKER_SOCKET)
    draining_socket = Path(names.DRAINING_SOCKET_DIR) / names.WORKER_SOCKET
    parser.add_argument("--draining-socket", type=Path, default=draining_socket, help="of an older revision's workers")
    parser.add_argument("--draining-bundle", type=Path, default=Path(names.BUNDLE_DIR), help="as those workers see it")
    parser.add_argument("--health-port", type=int, default=names.SUPERVISOR_PORT)
    parser.add_argument("--port-file", type=Path, help="where to write the port of the probes, for --health-port 0")
    parser.add_argument("--lease-ms", type=int, default=LEASE_MS, help="life of a lease without renewal")
    parser.add_argument("--drain-timeout", type=float, default=30.0, help="seconds for running turns to end")
    options = parser.parse_args(argv)
    logs.configure()
    redis_url = (options.platform / names.REDIS_URL_FILE).read_text(encoding="utf-8").strip()
    return uvloop.run(_supervise(options, redis_url))
