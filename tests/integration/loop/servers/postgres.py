"""A PostgreSQL server of one test run."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYSTEM_USER = "postgres"
"""The server refuses to run as root."""


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs: Debian keeps them beside the PATH."""
    if found := shutil.which(name):
        return found
    (newest, *_) = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True) or [Path(name)]
    return str(newest)


@contextmanager
def serving(port: int) -> Iterator[str]:
    """Run a server and give its address; it is gone afterwards."""
    as_root = os.geteuid() == 0
    user = {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": []} if as_root else {}
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if as_root:
        shutil.chown(folder, SYSTEM_USER, SYSTEM_USER)
    data = folder / "data"
    made = [program("initdb"), "-D", str(data), "-U", "shop", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    subprocess.run(made, check=True, capture_output=True, cwd=folder, timeout=300, **user)
    command = [program("postgres"), "-D", str(data), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-F"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **user)
    address = f"postgresql://shop@127.0.0.1:{port}/postgres"
    try:
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        for _ in range(1200):
            if server.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            if subprocess.run(ready, check=False, timeout=60).returncode == 0:
                break
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(120)
        shutil.rmtree(folder, ignore_errors=True)
