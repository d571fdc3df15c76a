"""The bots of these tests: small, with a version in every answer, so that a test sees which revision spoke."""

SOURCE = '''\
"""Counts the messages of a session and says which version it is."""

from jb_manager_bot import AbstractFSM, FSMOutput, MessageData, MessageType, Status


class Counter(AbstractFSM):
    states = ["zero", "listen", "answer"]
    transitions = [
        {{"source": "zero", "dest": "answer", "trigger": "next"}},
        {{"source": "answer", "dest": "listen", "trigger": "next"}},
        {{"source": "listen", "dest": "answer", "trigger": "next"}},
    ]
    conditions = set()
    output_variables = set()

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {{}}
        super().__init__(send_message=send_message)

    def on_enter_answer(self):
        self.status = Status.WAIT_FOR_ME
        self.variables["count"] = self.variables.get("count", 0) + 1
        body = f"{version}: message {{self.variables['count']}} was {{self.current_input}}"
        self.send_message(FSMOutput(message_data=MessageData(body=body), type=MessageType.TEXT, dest="out"))
        self.status = Status.MOVE_FORWARD

    def on_enter_listen(self):
        self.status = Status.WAIT_FOR_USER_INPUT
'''


def counter(version: str) -> dict[str, str]:
    """Return the files of a bundle whose answers start with `version`."""
    return {"bot.py": SOURCE.format(version=version)}


def broken() -> dict[str, str]:
    """Return the files of a bundle that cannot be imported."""
    return {"bot.py": "class Counter(\n"}


DESK = """\
import asyncio

from kdcube_ai_app.apps.chat.sdk.infra.economics.policy import QuotaPolicy
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint_with_economic import BaseEntrypointWithEconomics
from kdcube_ai_app.infra.accounting import ServiceUsage, track_llm, with_accounting
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow


@track_llm(provider_extractor=lambda *a, **k: "acme", model_extractor=lambda *a, **k: "acme-1",
           usage_extractor=lambda *a, **k: ServiceUsage(input_tokens=2, output_tokens=3))
async def think(text):
    await asyncio.sleep(0)


@agentic_workflow(name="acme.desk", version="1.0.0", priority=100)
class Desk(BaseEntrypointWithEconomics):
    app_quota_policies = {"registered": QuotaPolicy(requests_per_day=2)}

    async def execute_core(self, *, state, thread_id: str, params: dict):
        with with_accounting("acme.desk.think"):
            await think(params["text"])
        for index, word in enumerate(["You ", "said ", params["text"]]):
            await self.comm.delta(text=word, index=index, marker="answer")
        return {"final_answer": "You said " + params["text"], "followups": []}
"""


def workflow_desk() -> dict[str, str]:
    """Return the files of two workflow bundles: one with a quota of two requests, and one that cannot be loaded."""
    return {"desk/agentic_app.py": DESK, "broken/agentic_app.py": f"{DESK}\n\nraise LookupError('no key 42')\n"}
