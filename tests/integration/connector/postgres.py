"""A PostgreSQL that writes down changes, for tests of the connector: killed and started again on demand."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from tests.integration.loop.servers.postgres import SYSTEM_USER, program

START_TIMEOUT = 120.0
LOGICAL = ("wal_level=logical", "max_replication_slots=20", "max_wal_senders=20", "max_connections=60")


class PostgresServer:
    """One server with a folder of its own."""

    def __init__(self, folder: Path, port: int, options: Sequence[str]) -> None:
        self.folder = folder
        self.port = port
        self._data = folder / "data"
        as_root = os.geteuid() == 0
        self._user: dict[str, Any] = {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": []} if as_root else {}
        if as_root:
            shutil.chown(folder, SYSTEM_USER, SYSTEM_USER)
        made = [program("initdb"), "-D", str(self._data), "-U", "shop", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([*made, "--locale=C"], check=True, capture_output=True, cwd=folder, timeout=300, **self._user)
        self.options = list(options)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it answers."""
        command = [program("postgres"), "-D", str(self._data), "-p", str(self.port), "-k", str(self.folder)]
        command += ["-h", "127.0.0.1", "-F"]
        for option in self.options:
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **self._user)
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                psycopg2.connect(self.address()).close()
                return
            except psycopg2.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()[-3000:]) from None
                time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Of the process that has all others as children."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it and everybody's connection, orderly."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(120)

    def address(self, database: str = "postgres", user: str = "shop") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str, database: str = "postgres", user: str = "shop") -> list[tuple[Any, ...]]:
        """Run statements, each in a transaction of its own; return the rows of the last one."""
        connection = psycopg2.connect(self.address(database, user))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description is not None else []
        finally:
            connection.close()

    def make_database(self, name: str) -> None:
        """Make an empty database."""
        self.run(f'CREATE DATABASE "{name}"')

    def drop_database(self, name: str) -> None:
        """Drop a database with its slots, whoever uses them."""
        for _ in range(200):
            try:
                self.run(
                    f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '{name}' "
                    "AND active_pid IS NOT NULL",
                    f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{name}'",
                    f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
                )
                return
            except psycopg2.Error:
                time.sleep(0.05)
        raise RuntimeError(f"the database {name} cannot be dropped")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running_postgres(*options: str) -> Iterator[PostgresServer]:
    """A server for the length of the context."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    server = PostgresServer(folder, free_port(), options or LOGICAL)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
