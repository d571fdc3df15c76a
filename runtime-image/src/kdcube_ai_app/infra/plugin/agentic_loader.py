"""Marks of bundles, and the loader that finds them."""

from botyard.workflow.decorators import agentic_initial_state, agentic_workflow, agentic_workflow_factory
from botyard.workflow.loader import (
    AgenticBundleSpec,
    clear_agentic_caches,
    evict_inactive_specs,
    get_workflow_instance,
)
from botyard.workflow.operations import agentic_operation

agentic_initializer = agentic_initial_state

__all__ = [
    "AgenticBundleSpec",
    "agentic_initial_state",
    "agentic_initializer",
    "agentic_operation",
    "agentic_workflow",
    "agentic_workflow_factory",
    "clear_agentic_caches",
    "evict_inactive_specs",
    "get_workflow_instance",
]
