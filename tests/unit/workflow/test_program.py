"""One turn of a workflow bundle in the runtime."""

import asyncio
from pathlib import Path
from typing import Any

from tests.unit.workflow.host import converse

ECHO = """
@agentic_workflow(name="demo.echo", version="1.0.0", priority=100)
class Echo(BaseEntrypoint):
    async def execute_core(self, *, state, thread_id, params):
        await self.comm.step(step="workflow_start", status="started")
        await self.comm.delta(text="You wrote: ", index=0)
        await self.comm.delta(text=params["text"], index=1)
        await self.comm.event(agent="e", type="chat.files", route="chat.files", data={"items": []})
        return {"final_answer": "You wrote: " + params["text"], "history": state["history"]}
"""


async def test_a_turn_streams_and_completes_with_its_result(tmp_path: Path) -> None:
    conversation = converse(tmp_path, ECHO)
    outcome = await conversation.say("hello")
    assert outcome.error is None
    assert conversation.types == ["chat.start", "chat.step", "chat.delta", "chat.delta", "chat.files"]
    assert [output.delivery.audience for output in conversation.platform.emitted] == [
        "everyone",
        "privileged",
        "everyone",
        "everyone",
        "everyone",
    ]
    delta = conversation.platform.emitted[2]
    assert delta.members["delta"] == {"text": "You wrote: ", "marker": "answer", "index": 0, "completed": False}
    assert outcome.completion is not None
    assert outcome.completion.type == "chat.complete"
    assert outcome.completion.data["final_answer"] == "You wrote: hello"
    assert outcome.completion.data["tenant"] == "shop"
    assert outcome.completion.data["user"] == "u1"


async def test_a_later_turn_knows_what_was_said(tmp_path: Path) -> None:
    conversation = converse(
        tmp_path,
        """
        @agentic_workflow(name="demo.memory")
        class Memory(BaseEntrypoint):
            async def execute_core(self, *, state, thread_id, params):
                return {"final_answer": "|".join(f"{m['role']}:{m['content']}" for m in state["history"])}
        """,
    )
    await conversation.say("one")
    await conversation.say("two")
    outcome = await conversation.say("three")
    assert outcome.completion is not None
    assert outcome.completion.data["final_answer"] == "user:one|user:two|assistant:user:one"
    assert sorted(conversation.platform.records) == [f"turn/{number:09d}" for number in range(3)]


async def test_a_run_that_raises_is_one_error_with_its_place(tmp_path: Path) -> None:
    conversation = converse(
        tmp_path,
        """
        @agentic_workflow(name="demo.broken")
        class Broken(BaseEntrypoint):
            async def execute_core(self, *, state, thread_id, params):
                self.comm.delta(text="so far", index=0)
                raise ValueError("no such recipe")
        """,
    )
    outcome = await conversation.say("hello")
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.message) == ("ValueError", "no such recipe")
    assert outcome.error.where == "agentic_app.py:9 in execute_core"
    assert conversation.types == ["chat.start", "chat.delta"]


async def test_a_result_without_an_answer_is_an_error(tmp_path: Path) -> None:
    for result, message in [
        ("{}", "returned no final_answer"),
        ("None", "must return a dict with final_answer, not NoneType"),
        ("'text'", "must return a dict with final_answer, not str"),
    ]:
        conversation = converse(
            tmp_path / str(abs(hash(result))),
            f"""
            @agentic_workflow(name="demo.empty")
            class Empty(BaseEntrypoint):
                async def execute_core(self, *, state, thread_id, params):
                    return {result}
            """,
        )
        outcome = await conversation.say("hello")
        assert outcome.error is not None
        assert outcome.error.kind == "BundleResultError"
        assert message in outcome.error.message


async def test_an_answer_that_was_only_streamed_is_taken(tmp_path: Path) -> None:
    conversation = converse(
        tmp_path,
        """
        @agentic_workflow(name="demo.streamer")
        class Streamer(BaseEntrypoint):
            async def execute_core(self, *, state, thread_id, params):
                await self.comm.delta(text="Good ", index=0)
                await self.comm.delta(text="day", index=1)
                return {"followups": []}
        """,
    )
    outcome = await conversation.say("hello")
    assert outcome.completion is not None
    assert outcome.completion.data["final_answer"] == "Good day"


async def test_turns_of_a_singleton_speak_to_their_own_users(tmp_path: Path) -> None:
    conversation = converse(
        tmp_path,
        """
        import asyncio

        @agentic_workflow(name="demo.single", singleton=True)
        class Single(BaseEntrypoint):
            async def execute_core(self, *, state, thread_id, params):
                for index in range(5):
                    await asyncio.sleep(0)
                    await self.comm.delta(text=params["text"], index=index)
                return {"final_answer": f"{self.comm_context.user.user_id} {state['text']} {id(self)}"}
        """,
    )
    other = type(conversation)(conversation.program)
    first, second = await asyncio.gather(
        asyncio.create_task(conversation.say("alice", chat={"user": {"user_id": "alice"}})),
        asyncio.create_task(other.say("bob", chat={"user": {"user_id": "bob"}})),
    )
    assert first.completion is not None
    assert second.completion is not None
    assert first.completion.data["final_answer"].startswith("alice alice ")
    assert second.completion.data["final_answer"].startswith("bob bob ")
    assert first.completion.data["final_answer"].split()[-1] == second.completion.data["final_answer"].split()[-1]
    assert {o.members["text"] for o in conversation.platform.emitted if o.type == "chat.delta"} == {"alice"}
    assert {o.members["text"] for o in other.platform.emitted if o.type == "chat.delta"} == {"bob"}


async def test_only_declared_operations_can_be_called_by_name(tmp_path: Path) -> None:
    code = """
    from kdcube_ai_app.infra.plugin.agentic_loader import agentic_operation

    @agentic_workflow(name="demo.operations")
    class Operations(BaseEntrypoint):
        OPERATIONS = ("export",)

        async def export(self, text, format="md"):
            return {"final_answer": f"{text} as {format}"}

        @agentic_operation
        def count(self, **params):
            return {"final_answer": str(len(params["text"]))}

        def drop_everything(self, **params):
            raise SystemExit("gone")

        async def execute_core(self, *, state, thread_id, params):
            return {"final_answer": "ran"}
    """

    async def ask(chat: dict[str, Any], **payload: Any) -> Any:
        outcome = await converse(tmp_path, code).say("abc", chat=chat, **payload)
        return outcome.error or (outcome.completion and outcome.completion.data["final_answer"])

    assert await ask({"operation": "export"}, payload={"format": "pdf"}) == "abc as pdf"
    assert await ask({"operation": "count"}) == "3"
    assert await ask({}, payload={"command": "count"}) == "3"
    assert await ask({}, payload={"command": "drop_everything"}) == "ran"
    for forbidden in ("drop_everything", "__init__", "set_state", "models_service", "_serve"):
        error = await ask({"operation": forbidden})
        assert error.kind == "UnknownOperation"
        assert "count, export" in error.message


async def test_properties_are_those_of_now(tmp_path: Path) -> None:
    code = """
    @agentic_workflow(name="demo.props")
    class Props(BaseEntrypoint):
        @property
        def bundle_props_defaults(self):
            return {"tone": {"mood": "calm", "volume": 3}}

        async def execute_core(self, *, state, thread_id, params):
            return {"final_answer": str(self.bundle_props)}
    """
    conversation = converse(tmp_path, code, tone={"mood": "glad"})
    first = await conversation.say("x")
    second = await conversation.say("x", config={"tone": {"mood": "sad"}})
    assert first.completion is not None
    assert second.completion is not None
    assert first.completion.data["final_answer"] == "{'tone': {'mood': 'glad', 'volume': 3}}"
    assert second.completion.data["final_answer"] == "{'tone': {'mood': 'sad', 'volume': 3}}"


async def test_attachments_come_with_their_content(tmp_path: Path) -> None:
    code = """
    from botyard.workflow.attachments import content

    @agentic_workflow(name="demo.files")
    class Files(BaseEntrypoint):
        async def execute_core(self, *, state, thread_id, params):
            [file] = params["attachments"]
            assert file == state["attachments"][0]
            return {"final_answer": f"{file['filename']} {file['mime']} {file['size']} {content(file).decode()}"}
    """
    file = {"id": "f1", "name": "a.txt", "type": "text/plain", "url": "data:text/plain;base64,aGVsbG8="}
    outcome = await converse(tmp_path, code).say("", files=[file])
    assert outcome.completion is not None
    assert outcome.completion.data["final_answer"] == "a.txt text/plain 5 hello"


async def test_too_many_deltas_end_the_turn_clearly(tmp_path: Path) -> None:
    code = """
    @agentic_workflow(name="demo.flood")
    class Flood(BaseEntrypoint):
        async def execute_core(self, *, state, thread_id, params):
            for index in range(100):
                await self.comm.delta(text="x" * 1_000_000, index=index)
            return {"final_answer": "never"}
    """
    outcome = await converse(tmp_path, code).say("go")
    assert outcome.error is not None
    assert outcome.error.kind == "TooMuchSent"
    assert "33554432 characters" in outcome.error.message


async def test_what_a_user_sends_does_not_come_back_in_full(tmp_path: Path) -> None:
    code = """
    @agentic_workflow(name="demo.large")
    class Large(BaseEntrypoint):
        async def execute_core(self, *, state, thread_id, params):
            assert len(params["text"]) == 1_048_576
            assert len(params["attachments"][0]["base64"]) == 2_000_000
            return {"final_answer": "read"}
    """
    conversation = converse(tmp_path, code)
    file = {"name": "a.bin", "url": "data:application/octet-stream;base64," + "A" * 2_000_000}
    outcome = await conversation.say("x" * 1_048_576, files=[file])
    assert outcome.error is None
    assert outcome.completion is not None
    assert len(outcome.completion.data["text"]) == 65_536
    [attachment] = outcome.completion.data["attachments"]
    assert (attachment["name"], attachment["size"], "base64" in attachment) == ("a.bin", 1_500_000, False)
    assert len(conversation.platform.emitted[0].data["message"]) == 65_536
    [record] = conversation.platform.records.values()
    assert len(record["user"]) == 131_072
    assert len(str(outcome.state)) < 100_000


async def test_a_workflow_of_its_own_kind_runs_too(tmp_path: Path) -> None:
    code = """
    from kdcube_ai_app.apps.chat.emitters import build_comm_from_comm_context, build_relay_from_env

    @agentic_workflow(name="demo.own")
    class Own:
        def __init__(self, config, comm_context=None, pg_pool=None, redis=None):
            self.comm = build_comm_from_comm_context(comm_context, relay=build_relay_from_env())

        async def run(self, text, **more):
            await self.comm.delta(text=text.upper(), index=0)
            return {"final_answer": text.upper()}
    """
    conversation = converse(tmp_path, code)
    outcome = await conversation.say("hello")
    assert outcome.completion is not None
    assert outcome.completion.data["final_answer"] == "HELLO"
    assert conversation.types == ["chat.start", "chat.delta"]


async def test_a_factory_may_be_asynchronous_and_state_may_be_made(tmp_path: Path) -> None:
    code = """
    from kdcube_ai_app.infra.plugin.agentic_loader import agentic_initial_state, agentic_workflow_factory

    class Made(BaseEntrypoint):
        async def execute_core(self, *, state, thread_id, params):
            return {"final_answer": f"{state['mood']} {state['text']}"}

    @agentic_workflow_factory(name="demo.made", version="1", priority=1, singleton=False)
    async def make(config, comm_context=None):
        return Made(config, comm_context=comm_context)

    @agentic_initial_state(name="demo.state", priority=5)
    def begin(payload):
        return {"mood": "glad", "text": "not this"}
    """
    outcome = await converse(tmp_path, code).say("hello")
    assert outcome.completion is not None
    assert outcome.completion.data["final_answer"] == "glad hello"
