from typing import Any, Dict, Optional

from kdcube_ai_app.apps.chat.sdk.comm.emitters import AIBEmitters, DeltaPayload, StepPayload
from kdcube_ai_app.apps.chat.sdk.protocol import ChatTaskPayload
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow
from kdcube_ai_app.infra.service_hub.inventory import BundleState, Config

from . import BUNDLE_ID
from .graph import END, Graph
from .tools.lookup import search


@agentic_workflow(name=BUNDLE_ID, version="2.3.0", priority=150)
class SupportDesk(BaseEntrypoint):
    BUNDLE_ID = BUNDLE_ID

    def __init__(
        self,
        config: Config,
        pg_pool: Any = None,
        redis: Any = None,
        comm_context: Optional[ChatTaskPayload] = None,
    ):
        super().__init__(config=config, pg_pool=pg_pool, redis=redis, comm_context=comm_context)
        self.emit = AIBEmitters(self.comm)
        self.graph = (
            Graph()
            .node("classify", self.classify)
            .node("answer", self.answer)
            .node("suggest", self.suggest)
            .edge("classify", "answer")
            .edge("answer", lambda state: "suggest" if state["final_answer"] else END)
            .edge("suggest", END)
        )

    @property
    def configuration(self) -> Dict[str, Any]:
        return {
            "role_models": {"solver": {"provider": "openai", "model": "gpt-4o"}, "classifier": "gpt-4o-mini"},
            "embedding": {"provider": "openai", "model": "text-embedding-3-large"},
        }

    async def execute_core(self, *, state: Dict[str, Any], thread_id: str, params: Dict[str, Any]) -> Dict[str, Any]:
        start: BundleState = dict(state)
        start["text"] = params.get("text", "")
        done = await self.graph.ainvoke(start, "classify")
        return {key: done.get(key) for key in ("final_answer", "followups", "error_message", "step_logs")}

    async def classify(self, state):
        await self.emit.step(step="classifier", status="started", title="Classifying")
        found = await search(state["text"])
        await self.emit.step(StepPayload(step="classifier", status="completed", title="Classified", data=found))
        return {"label": found["label"], "step_logs": [{"step": "classifier", "label": found["label"]}]}

    async def answer(self, state):
        words = ["We ", "looked ", "into ", state["label"], "."]
        for index, word in enumerate(words):
            await self.emit.delta(
                DeltaPayload(text=word, index=index, marker="answer", agent="desk", completed=index == len(words) - 1)
            )
        return {"final_answer": "".join(words)}

    async def suggest(self, state):
        items = ["Open a ticket.", "Talk to a person."]
        await self.emit.followups(items)
        return {"followups": items}
