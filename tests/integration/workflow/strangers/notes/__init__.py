"""A package that is a bundle by itself: a singleton that counts, with economics."""
import asyncio

from kdcube_ai_app.apps.chat.sdk.infra.economics.policy import EconomicsLimitException, QuotaPolicy
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint_with_economic import BaseEntrypointWithEconomics
from kdcube_ai_app.infra.accounting import track_llm, with_accounting
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow

BUNDLE_ID = "acme.notes"


@track_llm(provider_extractor=lambda *a, **k: "acme", model_extractor=lambda *a, **k: "acme-1",
           usage_extractor=lambda r, *a, **k: {"prompt_tokens": 4, "completion_tokens": 6})
async def think(text):
    await asyncio.sleep(0)
    return text.upper()


@agentic_workflow(name=BUNDLE_ID, version="1.0.0", priority=100, singleton=True)
class Notes(BaseEntrypointWithEconomics):
    BUNDLE_ID = BUNDLE_ID

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.notes = []

    @property
    def app_quota_policies(self):
        return {"registered": QuotaPolicy(max_concurrent=2, requests_per_day=3, tokens_per_day=1000)}

    async def pre_run_hook(self, *, state, econ_ctx: dict) -> None:
        assert econ_ctx["lane"] == "tier"
        await self.comm.step(step="workflow_start", status="running", title=f"Lane {econ_ctx['lane']}")

    async def execute_core(self, *, state, thread_id: str, params: dict):
        if params["text"] == "forbidden":
            raise EconomicsLimitException("not for you", code="own_rule", data={"why": "because"})
        with with_accounting("acme.notes.think", metadata={"phase": "think"}):
            loud = await think(params["text"])
        self.notes.append(loud)
        await self.comm.delta(text=loud, index=0)
        return {"final_answer": f"{len(self.notes)} notes, the last: {loud}", "followups": []}

    async def post_run_hook(self, *, state, result: dict, econ_ctx: dict) -> None:
        result["followups"] = ["Another one?"]
