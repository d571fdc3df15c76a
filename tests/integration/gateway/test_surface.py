"""Probes, metrics, schema and console."""

import re

from tests.integration.gateway.system import BASE, System, bearer


async def test_a_working_gateway_is_ready(system: System) -> None:
    answer = await system.http.get("/readyz")
    assert answer.json() == {"status": "ok", "checks": {"drain": "ok", "routes": "ok", "storage": "ok"}}


async def test_metrics_count_by_path_template_and_never_by_what_a_caller_chose(system: System) -> None:
    conversation = await system.conversation("hi")
    await system.http.get(f"{BASE}/conversations/{conversation}", headers=bearer("ann"))
    text = (await system.http.get("/metrics")).text
    path = "/v1/namespaces/{namespace}/bots/{bot}/conversations/{conversation}"
    assert f'botyard_gateway_requests_total{{method="GET",path="{path}",status="200"}} 1.0' in text
    assert 'botyard_gateway_accepted_total{duplicate="false",kind="message"} 1.0' in text
    assert conversation not in text


async def test_the_schema_is_served(system: System) -> None:
    answer = await system.http.get("/openapi.json")
    assert answer.json()["openapi"].startswith("3.1")
    assert f"{BASE.replace('shop', '{namespace}').replace('echo', '{bot}')}/messages" in answer.json()["paths"]


async def test_the_console_runs_nothing_inline_and_nothing_from_elsewhere(system: System) -> None:
    page = await system.http.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=|javascript:|https?://", page.text)
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        part = await system.http.get(path)
        assert part.status_code == 200, path
        assert part.headers["x-content-type-options"] == "nosniff"


async def test_files_beside_the_console_are_not_served(system: System) -> None:
    for path in ("/console/app.py", "/console/..%2fapp.py", "/console/%2e%2e/app.py"):
        assert (await system.http.get(path)).status_code == 404
