"""Every curl command of docs/http-api.md does what the page says."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from botyard.channels.service import ChannelService
from botyard.channels.settings import TelegramChannel
from botyard.core.references import Reference, References
from botyard.gateway.operations import OPERATIONS
from botyard.gateway.operations.operation import Operation
from botyard.gateway.reference import EXAMPLES
from tests.integration.gateway.spending import spending_of
from tests.integration.gateway.system import BASE, ECHO, System, bearer, records

SECRET = "0123456789abcdef"
REFERENCE = "jbkey0123456789abcdef-0123456jbkey"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_the_example_gets_the_documented_answer(system: System, operation: Operation, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.fail("curl is not installed; the examples of docs/http-api.md use it")
    conversation = await system.conversation("hello")
    await system.post(conversation=conversation)
    await system.give_up()
    (letter,) = await system.letters()
    waiting = await system.post(conversation=conversation)
    await References(system.redis).register(REFERENCE, Reference(bot=ECHO, conversation=conversation, user="ann"))
    begun = {"action": "thread.start", "messages": [{"role": "user", "content": "hello"}]}
    await system.gateway.inbox.accept(ECHO, key="nora~t1", kind="action", payload=begun, user="boss")
    task = {"ktask_id": "task_1", "ktask_title": "Call Oslo", "ktask_inbox_ts": 7.0}
    await records(system, ":nora", {"task/task_1": task})
    await spending_of(system, daily=100)
    telegram = TelegramChannel(name="chat", bot="shop/echo", type="telegram", token="123:token", secret=SECRET)
    system.gateway.channels = ChannelService(system.redis, [telegram], lambda namespace, bot: ECHO.partitions)
    file = await system.http.post(f"{BASE}/files", content=b"a,b", headers=bearer("boss"))
    plan = {"path": "/plans/spring", "content": "{}"}
    await system.http.put(f"{BASE}/policy-documents/content", json=plan, headers=bearer("boss"))
    await system.gateway.knowledge.put(ECHO, "prices", "prices.md", "Tubes cost four euros.")
    command = EXAMPLES[operation.name].replace("curl -s", "curl -s --max-time 10 -w '\\n%{http_code}'", 1)
    (tmp_path / "prices.md").write_text("Tubes cost five euros.")
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        command,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "NO_PROXY": "*",
            "GATEWAY": system.url,
            "BOT": f"{system.url}{BASE}",
            "NAMESPACE": f"{system.url}/v1/namespaces/bank",
            "AUTH": "Authorization: Bearer token-of-boss",
            "CONVERSATION": conversation,
            "REFERENCE": REFERENCE,
            "FILE": file.json()["id"],
            "TURN": waiting["turn"],
            "THREAD": "t1",
            "LETTER": letter["id"],
            "SECRET": SECRET,
        },
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    body, _, status = out.decode().rpartition("\n")
    assert int(status) == operation.status, body
    if operation.raw:
        assert body == "a,b"
    elif operation.streams and operation.answer is None:
        assert body.startswith("event: ")
    elif operation.answer is not None:
        operation.answer.model_validate(json.loads(body))
    else:
        assert body == ""
