"""A factory, a filter, operations, attachments, files and canvas."""
import base64
import json

from kdcube_ai_app.apps.chat.sdk.comm.event_filter import DefaultEventFilter, EventFilterInput, IEventFilter
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow_factory

BUNDLE_ID = "acme.tutor"


class TutorFilter(IEventFilter):
    def __init__(self):
        self.base = DefaultEventFilter()

    def allow_event(self, *, user_type, user_id, event: EventFilterInput, data=None):
        if event.step == "secret":
            return user_type == "privileged"
        if event.socket_event == "chat_step":
            return True
        return self.base.allow_event(user_type=user_type, user_id=user_id, event=event, data=data)


class Tutor(BaseEntrypoint):
    BUNDLE_ID = BUNDLE_ID
    OPERATIONS = ["grade"]

    def __init__(self, config, comm_context, redis=None, pg_pool=None):
        super().__init__(config, pg_pool, redis, comm_context, event_filter=TutorFilter())

    async def execute_core(self, *, state, thread_id, params):
        files = params.get("attachments") or []
        await self.comm.step(step="workflow_start", status="started", title="Reading", data={"files": len(files)})
        await self.comm.step(step="secret", status="started", title="Prompt", data={"prompt": "be kind"})
        for number, file in enumerate(files):
            text = base64.b64decode(file["base64"]).decode()
            await self.comm.delta(
                text=text, index=number, marker="canvas", format="text", artifact_name=file["name"], sub_type="upload"
            )
        await self.comm.delta(text="Decision: read", index=0, marker="timeline_text", format="markdown",
                              artifact_name="timeline_text.tutor.0", completed=True)
        await self.comm.delta(text="print(1)", index=0, marker="subsystem", format="text",
                              artifact_name="code_exec.code", sub_type="code_exec.code", execution_id="exec_1")
        await self.comm.event(agent=BUNDLE_ID, type="chat.files", step="files", status="completed",
                              title="Generated Files", route="chat.files",
                              data={"items": [{"artifact_id": f"file:{f['name']}", "name": f["name"], "mime": f["mime"],
                                               "size": f["size"]} for f in files]})
        await self.comm.event(agent=BUNDLE_ID, type="chat.citations", route="chat.citations", data={"items": []})
        await self.comm.event(agent=BUNDLE_ID, type="chat.turn.summary", route="chat.turn.summary",
                              data={"summary": "read"})
        await self.comm.event(agent=BUNDLE_ID, type="chat.conversation.title", route="chat.conversation.title",
                              data={"title": params["text"][:20]})
        await self.comm.event(agent=BUNDLE_ID, type="chat.event", data={"widget": "quiz"})
        await self.comm.delta(text="Well read.", index=0)
        return {"final_answer": "Well read.", "error_message": None, "execution_id": "exec_1", "step_logs": []}

    async def grade(self, text="", points=0, **kw):
        await self.comm.step(step="grading", status="completed", data={"points": points})
        return {"final_answer": f"{text}: {points}", "payload": json.loads(json.dumps({"points": points}))}

    async def internal(self, **kw):
        raise RuntimeError("nobody may call this")


@agentic_workflow_factory(name=BUNDLE_ID, version="0.1", priority=10, singleton=False)
def create(config, comm_context=None, pg_pool=None, redis=None):
    return Tutor(config, comm_context, redis=redis, pg_pool=pg_pool)
