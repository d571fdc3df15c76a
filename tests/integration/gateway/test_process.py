"""`botyard gateway` as a container runs it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from botyard.contract.routes import Routes
from tests.integration.gateway.system import ROUTES, bearer, write_tokens
from tests.integration.gateway.test_dev import SECONDS, until
from tests.integration.redis.server import RedisServer

GATEWAY = [sys.executable, "-m", "botyard.cli.main", "gateway", "--host", "127.0.0.1", "--port", "0"]


def test_it_serves_what_the_routing_file_says_and_ends_with_zero_on_sigterm(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    routes, tokens, log = tmp_path / "routes.json", write_tokens(tmp_path / "tokens.yaml"), tmp_path / "log"
    (tmp_path / "redis-url").write_text(redis_server.url + "\n")
    options = ["--auth", "tokens", "--tokens", str(tokens), "--routes", str(routes), "--drain-delay", "0"]
    command = [*GATEWAY, *options, "--redis-file", str(tmp_path / "redis-url")]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        found = until(lambda: re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text()), log.read_text)
        with httpx.Client(base_url=found[1], trust_env=False) as http:
            # Nothing may be sent here before it is known where to.
            assert http.get("/readyz").json()["checks"]["routes"] != "ok"
            routes.write_text(ROUTES.to_json())
            until(lambda: http.get("/readyz").status_code == 200, log.read_text)
            assert len(http.get("/v1/bots", headers=bearer("ann")).json()["bots"]) == 2
            routes.write_text(Routes().to_json())
            until(lambda: http.get("/v1/bots", headers=bearer("ann")).json()["bots"] == [], log.read_text)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait(SECONDS)


def test_without_a_cluster_it_says_what_it_needs() -> None:
    command = [*GATEWAY, "--redis", "redis://127.0.0.1:1", "--auth", "kubernetes"]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, env={"PATH": "/usr/bin"}
    )
    assert ran.returncode == 2
    assert "--kubeconfig" in ran.stderr
    assert "Traceback" not in ran.stderr
