"""`botyard gateway` as a container runs it."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from botyard.contract.routes import Route, Routes
from tests.integration.apiserver.server import ApiServer
from tests.integration.gateway.dev import SECONDS, until
from tests.integration.gateway.issuer import AUDIENCE, running_issuer
from tests.integration.gateway.system import ROUTES, bearer, write_tokens
from tests.integration.redis.server import RedisServer, running_redis

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


def test_it_ends_where_redis_cannot_do_what_its_url_asks_for(tmp_path: Path) -> None:
    routes, tokens = tmp_path / "routes.json", write_tokens(tmp_path / "tokens.yaml")
    routes.write_text(ROUTES.to_json())
    options = ["--auth", "tokens", "--tokens", str(tokens), "--routes", str(routes), "--drain-delay", "0"]
    without = ("--rename-command", "WAITAOF", "")
    with running_redis(program="valkey-server", appendfsync="always", options=without) as server:
        command = [*GATEWAY, *options, "--redis", server.url + "?acknowledge=fsync"]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=4 * SECONDS)
    assert result.returncode == 2
    assert "acknowledge=fsync in the URL of Redis needs WAITAOF" in result.stderr


async def test_rbac_decides_what_users_of_an_issuer_may_do(
    redis_server: RedisServer, apiserver: ApiServer, namespace: str, tmp_path: Path
) -> None:
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "talk", "namespace": namespace}}
    rule = {"apiGroups": ["botyard.dev"], "resources": ["bots"], "verbs": ["use"]}
    apiserver.client.create({**rbac, "kind": "Role", "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "talk"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "oidc:ann"}
    apiserver.client.create({**rbac, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]})
    routes, log = tmp_path / "routes.json", tmp_path / "log"
    routes.write_text(Routes(routes=(Route(namespace=namespace, name="echo", ready=True),)).to_json())
    async with running_issuer() as issuer:
        options = ["--auth", "oidc+kubernetes", "--oidc-issuer", issuer.url, "--oidc-audience", AUDIENCE]
        files = ["--kubeconfig", str(apiserver.kubeconfig), "--routes", str(routes), "--drain-delay", "0"]
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *GATEWAY, *options, *files, "--redis", redis_server.url, stdout=output, stderr=output
            )
        try:
            async with asyncio.timeout(SECONDS):
                while not (found := re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text())):
                    await asyncio.sleep(0.05)
            path = f"/v1/namespaces/{namespace}/bots/echo/messages"
            async with httpx.AsyncClient(base_url=found[1], trust_env=False) as http:

                async def status(token: str) -> int:
                    headers = {"Authorization": f"Bearer {token}"}
                    return (await http.post(path, json={"text": "hi"}, headers=headers)).status_code

                assert await status(issuer.token()) == 202, log.read_text()
                assert await status(issuer.token(sub="ben")) == 403
                assert await status(issuer.token(aud="other")) == 401
        finally:
            process.kill()
            await process.wait()


def test_without_a_cluster_it_says_what_it_needs() -> None:
    command = [*GATEWAY, "--redis", "redis://127.0.0.1:1", "--auth", "kubernetes"]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, env={"PATH": "/usr/bin"}
    )
    assert ran.returncode == 2
    assert "--kubeconfig" in ran.stderr
    assert "Traceback" not in ran.stderr
