"""BaseEntrypoint as hosts and bundles use it, without a runtime."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from botyard.workflow.communicator import ChatCommunicator
from botyard.workflow.errors import BundleResultError
from kdcube_ai_app.apps.chat import emitters
from kdcube_ai_app.apps.chat.sdk.protocol import (
    ChatTaskActor,
    ChatTaskPayload,
    ChatTaskRequest,
    ChatTaskRouting,
    ChatTaskUser,
)
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint
from kdcube_ai_app.infra.accounting import AccountingSystem, track_llm
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow
from kdcube_ai_app.infra.service_hub.inventory import APP_STATE_KEYS, BundleState, Config
from kdcube_ai_app.storage.storage import create_storage_backend
from tests.unit.workflow.host import MemoryRelay

TASK = ChatTaskPayload(
    routing=ChatTaskRouting(session_id="sess1", conversation_id="conv1", turn_id="turn1", socket_id="stream1"),
    actor=ChatTaskActor(tenant_id="t1", project_id="p1"),
    user=ChatTaskUser(user_type="registered", user_id="u1"),
    request=ChatTaskRequest(message="hello", request_id="req1"),
)
STATE = {
    "request_id": "req1",
    "tenant": "t1",
    "project": "p1",
    "user": "u1",
    "user_type": "registered",
    "session_id": "sess1",
    "conversation_id": "conv1",
    "text": "hello",
    "attachments": [],
    "turn_id": "turn1",
    "history": [],
    "final_answer": "",
    "followups": [],
    "step_logs": [],
    "start_time": 1730000000.0,
}


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> MemoryRelay:
    made = MemoryRelay()
    monkeypatch.setattr(emitters, "build_relay_from_env", lambda: made)
    return made


class Hello(BaseEntrypoint):
    async def execute_core(self, *, state: Any, thread_id: str, params: Any) -> dict[str, Any]:
        await self.comm.delta(text=f"{thread_id}: {params['text']}", index=0)
        return {"final_answer": f"You wrote {params['text']}", "followups": ["More."]}


async def test_run_returns_what_goes_out(relay: MemoryRelay) -> None:
    workflow = Hello(Config(), comm_context=TASK)
    workflow.set_state(dict(STATE))
    assert await workflow.run(text="hello") == {
        "context": {"bundle": "kdcube.bundle.base"},
        "request_id": "req1",
        "tenant": "t1",
        "project": "p1",
        "user": "u1",
        "session_id": "sess1",
        "text": "hello",
        "attachments": [],
        "final_answer": "You wrote hello",
        "followups": ["More."],
        "error_message": None,
        "step_logs": None,
    }
    assert [each.data["text"] for each in relay.sent] == ["conv1: hello"]


async def test_what_nobody_awaited_is_sent_before_the_run_returns(relay: MemoryRelay) -> None:
    class Hasty(BaseEntrypoint):
        async def execute_core(self, *, state: Any, thread_id: str, params: Any) -> dict[str, Any]:
            for index in range(3):
                self.comm.delta(text=str(index), index=index)
            if params["text"] == "fail":
                raise RuntimeError
            return {"final_answer": "012"}

    await Hasty(Config(), comm_context=TASK).run(text="hello")
    assert [each.data["text"] for each in relay.sent] == ["0", "1", "2"]
    with pytest.raises(RuntimeError):
        await Hasty(Config(), comm_context=TASK).run(text="fail")
    assert len(relay.sent) == 6


@pytest.mark.parametrize("module", ["emitters", "sdk.solutions.chatbot.entrypoint"])
async def test_a_host_replaces_the_relay_where_it_is_made_or_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    made = MemoryRelay()
    monkeypatch.setattr(f"kdcube_ai_app.apps.chat.{module}.build_relay_from_env", lambda: made)
    await Hello(Config(), comm_context=TASK).run(text="hello")
    assert made.events == ["chat_delta"]


async def test_usage_is_booked_on_the_user_of_the_request_unless_the_host_says_another(
    relay: MemoryRelay, tmp_path: Path
) -> None:
    class Asking(BaseEntrypoint):
        async def execute_core(self, *, state: Any, thread_id: str, params: Any) -> dict[str, Any]:
            await track_llm()(asyncio.sleep)(0)
            return {"final_answer": "x"}

    AccountingSystem.init_storage(create_storage_backend(f"file://{tmp_path}"))
    try:
        await Asking(Config(), comm_context=TASK).run(text="hello")
        AccountingSystem.set_context(user_id="somebody", component="host")
        await Asking(Config(), comm_context=TASK).run(text="hello")
    finally:
        AccountingSystem.init_storage(None)
        AccountingSystem.clear_context()
    told = [json.loads(path.read_text()) for path in tmp_path.glob("accounting/t1/p1/*/llm/*/usage_*.json")]
    assert {(each["user_id"], each["component"]) for each in told} == {
        ("u1", "chat.orchestrator"),
        ("somebody", "host"),
    }
    assert [each["context"] for each in told] == [{"conversation_id": "conv1", "turn_id": "turn1"}] * 2
    assert {(each["session_id"], each["user_type"], each["request_id"]) for each in told} == {
        ("sess1", "registered", "req1")
    }


async def test_run_without_a_state_takes_it_from_the_request(relay: MemoryRelay) -> None:
    result = await Hello(Config(), comm_context=TASK).run()
    assert (result["final_answer"], result["user"], result["request_id"]) == ("You wrote hello", "u1", "req1")


async def test_run_with_nothing_but_a_text(relay: MemoryRelay) -> None:
    result = await Hello(Config()).run(text="hi")
    assert result["final_answer"] == "You wrote hi"
    assert relay.sent[0].data["text"] == "default: hi"


@pytest.mark.parametrize(
    ("state", "thread"),
    [
        ({"conversation_id": "c", "session_id": "s"}, "c"),
        ({"conversation_id": None, "session_id": "s"}, "s"),
        ({"conversation_id": None, "session_id": None}, "default"),
    ],
)
async def test_the_thread_is_the_conversation_or_the_session(
    relay: MemoryRelay, state: dict[str, Any], thread: str
) -> None:
    workflow = Hello(Config())
    workflow.set_state({"text": "x", **state})
    await workflow.run(text="x")
    assert relay.sent[0].data["text"] == f"{thread}: x"


async def test_hooks_are_called_in_their_order(relay: MemoryRelay) -> None:
    called: list[Any] = []

    class Hooked(BaseEntrypoint):
        async def refresh_bundle_props(self, *args: Any, **kw: Any) -> Any:
            called.append("props")
            return await super().refresh_bundle_props(*args, **kw)

        async def pre_run_hook(self, *, state: Any) -> None:
            called.append(("pre", state["text"]))

        async def execute_core(self, *, state: Any, thread_id: str, params: Any) -> dict[str, Any]:
            called.append("core")
            return {"final_answer": "x"}

        async def run_accounting(self, *args: Any, **kw: Any) -> None:
            called.append("accounting")

        async def post_run_hook(self, *, state: Any, result: Any) -> None:
            called.append(("post", result["final_answer"]))
            result["followups"] = ["added"]

    result = await Hooked(Config(), comm_context=TASK).run(text="hello")
    assert called == ["props", ("pre", "hello"), "core", "accounting", ("post", "x")]
    assert result["followups"] == ["added"]


async def test_what_a_hook_raises_ends_the_run(relay: MemoryRelay) -> None:
    class Guarded(Hello):
        async def pre_run_hook(self, *, state: Any) -> None:
            raise PermissionError("not you")

    with pytest.raises(PermissionError):
        await Guarded(Config(), comm_context=TASK).run(text="x")
    assert relay.sent == []


async def test_a_method_that_is_missing_says_so(relay: MemoryRelay) -> None:
    with pytest.raises(NotImplementedError, match="execute_core"):
        await BaseEntrypoint(Config()).run(text="x")


@pytest.mark.parametrize("result", [None, "text", {}, {"final_answer": None}, {"followups": ["x"]}])
async def test_a_result_must_have_an_answer(relay: MemoryRelay, result: Any) -> None:
    class Silent(BaseEntrypoint):
        async def execute_core(self, **kw: Any) -> Any:
            return result

    with pytest.raises(BundleResultError):
        await Silent(Config()).run(text="x")


@pytest.mark.parametrize("result", [{"final_answer": ""}, {"final_answer": None, "error_message": "no paper"}])
async def test_an_empty_answer_and_a_told_error_are_results(relay: MemoryRelay, result: Any) -> None:
    class Plain(BaseEntrypoint):
        async def execute_core(self, **kw: Any) -> Any:
            return result

    assert (await Plain(Config()).run(text="x"))["error_message"] == result.get("error_message")


@pytest.mark.parametrize("way", ["attribute", "property", "method"])
def test_configuration_sets_roles_and_embedding(way: str) -> None:
    given = {
        "role_models": {
            "solver": "gpt-4o",
            "tool.generator.default": {"provider": "anthropic", "model": "claude"},
        },
        "embedding": {"provider": "openai", "model": "text-embedding-3-large"},
    }
    ways: dict[str, Any] = {
        "attribute": given,
        "property": property(lambda self: given if self.config is not None else None),
        "method": lambda self: given,
    }
    made = type("Configured", (BaseEntrypoint,), {"configuration": ways[way]})
    config = Config()
    config.set_role_models({"solver": "old", "classifier": "small"})
    workflow = made(config)
    assert workflow.config.role_models["solver"]["model"] == "gpt-4o"
    assert workflow.config.role_models["tool.generator.default"] == {"provider": "anthropic", "model": "claude"}
    assert workflow.config.role_models["classifier"]["model"] == "small"
    assert workflow.config.embedding_model == "text-embedding-3-large"
    assert workflow.config.embedding_provider == "openai"


def test_a_role_model_that_is_none_is_named() -> None:
    made = type("Wrong", (BaseEntrypoint,), {"configuration": {"role_models": {"solver": 7}}})
    with pytest.raises(ValueError, match="role 'solver'"):
        made(Config())


def test_a_role_without_a_model_takes_that_of_the_role_above() -> None:
    config = Config(selected_model="base", role_models={"tool": "t", "tool.generator": "g"})
    assert config.ensure_role("tool.generator.default")["model"] == "g"
    assert config.ensure_role("tool.other")["model"] == "t"
    assert config.ensure_role("solver")["model"] == "base"


def test_the_constructor_takes_its_arguments_in_their_order() -> None:
    context = object()
    workflow = BaseEntrypoint(Config(), None, None, TASK, None, context)
    assert workflow.comm_context is TASK
    assert workflow.ctx_client is context
    assert isinstance(workflow.comm, ChatCommunicator)
    assert workflow.comm is workflow.comm


def test_a_request_may_be_given_as_an_object() -> None:
    workflow = BaseEntrypoint(Config(), comm_context=TASK.model_dump())
    assert workflow.comm.user_id == "u1"


async def test_an_own_filter_decides(relay: MemoryRelay) -> None:
    class NoDeltas:
        def allow_event(self, *, event: Any, **given: Any) -> bool:
            return bool(event.socket_event != "chat_delta")

    class Filtered(Hello):
        def __init__(self, config: Any, comm_context: Any = None) -> None:
            super().__init__(config, comm_context=comm_context, event_filter=NoDeltas())

    await Filtered(Config(), comm_context=TASK).run(text="x")
    assert relay.sent == []


def test_the_initial_state_and_what_goes_out() -> None:
    workflow = BaseEntrypoint(Config())
    state: BundleState = workflow.create_initial_state({"text": " hi ", "user": "u1"})  # type: ignore[assignment]
    assert (state["text"], state["user"], state["followups"]) == ("hi", "u1", [])
    out = workflow.project_app_state({"final_answer": "x", "secret": 1, "execution_id": "e1", "start_time": 2.0})
    assert set(out) == {*APP_STATE_KEYS, "execution_id", "start_time"}
    assert out["final_answer"] == "x"


def test_the_id_of_a_bundle() -> None:
    @agentic_workflow(name="demo.named")
    class Named(BaseEntrypoint):
        BUNDLE_ID = "demo.own"

    workflow = Named(Config())
    assert workflow.project_app_state({})["context"] == {"bundle": "demo.own"}
    assert workflow.bundle_id == "demo.named"


async def test_services_of_the_database_are_none_without_one(relay: MemoryRelay) -> None:
    workflow = Hello(Config(), comm_context=TASK)
    assert await workflow.get_conv_index() is None
    assert await workflow.get_kb_client() is None


async def test_a_context_client_of_ones_own_is_used() -> None:
    context = object()
    assert await BaseEntrypoint(Config(), ctx_client=context).get_ctx_client() is context


async def test_a_cache_forgets_in_time() -> None:
    cache = BaseEntrypoint(Config()).kv_cache
    await cache.set("a", {"n": 1})
    await cache.set("b", 2, ttl=-1)
    assert await cache.get("a") == {"n": 1}
    assert await cache.get("b", "gone") == "gone"
    await cache.delete("a")
    assert await cache.get("a") is None


def test_the_logger_takes_both_habits(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    logger = BaseEntrypoint(Config()).logger
    logger.log("100% done", "WARNING")
    logger.log(20, "step %s", 2)
    logger.info("plain")
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("WARNING", "100% done"),
        ("INFO", "step 2"),
        ("INFO", "plain"),
    ]
