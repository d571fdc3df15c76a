"""Workflow bots: bundles whose answers stream while they are made.

    from botyard.workflow import BaseEntrypoint, agentic_workflow

    @agentic_workflow(name="demo.hello", version="1.0.0")
    class Hello(BaseEntrypoint):
        async def execute_core(self, *, state, thread_id, params):
            await self.comm.delta(text="Hello!", index=0)
            return {"final_answer": "Hello!"}

Bundles of the existing system import the same things from `kdcube_ai_app`.
"""

from botyard.workflow.communicator import ChatCommunicator
from botyard.workflow.configuration import Config
from botyard.workflow.decorators import agentic_initial_state, agentic_workflow, agentic_workflow_factory
from botyard.workflow.economic_entrypoint import BaseEntrypointWithEconomics
from botyard.workflow.economics import EconomicsLimitException, QuotaPolicy
from botyard.workflow.emitters import AIBEmitters
from botyard.workflow.entrypoint import BaseEntrypoint
from botyard.workflow.event_filter import DefaultEventFilter, EventFilterInput, IEventFilter
from botyard.workflow.loader import AgenticBundleSpec, get_workflow_instance
from botyard.workflow.protocol import ChatTaskPayload
from botyard.workflow.relays import Relay
from botyard.workflow.tasks import build_comm_from_comm_context

__all__ = [
    "AIBEmitters",
    "AgenticBundleSpec",
    "BaseEntrypoint",
    "BaseEntrypointWithEconomics",
    "ChatCommunicator",
    "ChatTaskPayload",
    "Config",
    "DefaultEventFilter",
    "EconomicsLimitException",
    "EventFilterInput",
    "IEventFilter",
    "QuotaPolicy",
    "Relay",
    "agentic_initial_state",
    "agentic_workflow",
    "agentic_workflow_factory",
    "build_comm_from_comm_context",
    "get_workflow_instance",
]
