"""Every name under which existing bundles and hosts look."""

import importlib
import inspect

import pytest

NAMES = {
    "kdcube_ai_app.infra.plugin.agentic_loader": [
        "agentic_workflow",
        "agentic_workflow_factory",
        "agentic_initial_state",
        "AgenticBundleSpec",
        "get_workflow_instance",
        "clear_agentic_caches",
        "evict_inactive_specs",
    ],
    "kdcube_ai_app.infra.plugin.bundle_registry": [
        "BundleSpec",
        "load_from_env",
        "get_all",
        "get_default_id",
        "resolve_bundle",
        "set_registry",
        "upsert_bundles",
    ],
    "kdcube_ai_app.infra.plugin.git_bundle": ["ensure_git_bundle", "compute_git_bundle_paths"],
    "kdcube_ai_app.infra.service_hub.inventory": ["Config", "BundleState", "APP_STATE_KEYS"],
    "kdcube_ai_app.apps.chat.sdk.protocol": [
        "ChatTaskPayload",
        "ChatTaskMeta",
        "ChatTaskRouting",
        "ChatTaskActor",
        "ChatTaskUser",
        "ChatTaskRequest",
        "ChatTaskConfig",
        "ChatTaskAccounting",
    ],
    "kdcube_ai_app.apps.chat.emitters": [
        "ChatCommunicator",
        "build_comm_from_comm_context",
        "build_relay_from_env",
    ],
    "kdcube_ai_app.apps.chat.sdk.comm.emitters": ["AIBEmitters", "StepPayload", "DeltaPayload"],
    "kdcube_ai_app.apps.chat.sdk.comm.event_filter": ["IEventFilter", "EventFilterInput", "DefaultEventFilter"],
    "kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint": ["BaseEntrypoint"],
    "kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint_with_economic": ["BaseEntrypointWithEconomics"],
    "kdcube_ai_app.apps.chat.sdk.infra.economics.policy": ["EconomicsLimitException"],
    "kdcube_ai_app.infra.accounting": [
        "with_accounting",
        "track_llm",
        "track_embedding",
        "AccountingSystem",
        "AccountingEvent",
        "ServiceUsage",
    ],
    "kdcube_ai_app.storage.storage": ["create_storage_backend"],
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_the_name_is_there(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def parameters(module: str, name: str) -> list[str]:
    thing = importlib.import_module(module)
    for part in name.split("."):
        thing = getattr(thing, part)
    return [each for each in inspect.signature(thing).parameters if each != "self"]


@pytest.mark.parametrize(
    ("module", "name", "wanted"),
    [
        ("kdcube_ai_app.infra.plugin.agentic_loader", "agentic_workflow", ["name", "version", "priority"]),
        (
            "kdcube_ai_app.infra.plugin.agentic_loader",
            "agentic_workflow_factory",
            ["name", "version", "priority", "singleton"],
        ),
        ("kdcube_ai_app.infra.plugin.agentic_loader", "AgenticBundleSpec", ["path", "module", "singleton"]),
        (
            "kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint",
            "BaseEntrypoint",
            ["config", "pg_pool", "redis", "comm_context", "event_filter", "ctx_client"],
        ),
        (
            "kdcube_ai_app.apps.chat.emitters",
            "ChatCommunicator",
            ["emitter", "tenant", "project", "user_id", "user_type", "service", "conversation", "event_filter"],
        ),
        (
            "kdcube_ai_app.infra.plugin.bundle_registry",
            "BundleSpec",
            [
                "id",
                "name",
                "path",
                "module",
                "singleton",
                "version",
                "git_url",
                "git_ref",
                "git_subdir",
                "git_commit",
            ],
        ),
        (
            "kdcube_ai_app.apps.chat.sdk.comm.event_filter",
            "EventFilterInput",
            ["type", "route", "socket_event", "agent", "step", "status", "broadcast"],
        ),
        ("kdcube_ai_app.apps.chat.emitters", "ChatCommunicator.start", ["message", "queue_stats"]),
        (
            "kdcube_ai_app.apps.chat.emitters",
            "ChatCommunicator.step",
            ["step", "status", "title", "agent", "data", "markdown"],
        ),
        (
            "kdcube_ai_app.apps.chat.emitters",
            "ChatCommunicator.delta",
            ["text", "index", "marker", "agent", "completed", "kw"],
        ),
        ("kdcube_ai_app.apps.chat.emitters", "ChatCommunicator.complete", ["data"]),
        (
            "kdcube_ai_app.apps.chat.emitters",
            "ChatCommunicator.error",
            ["message", "data", "agent", "step", "title"],
        ),
    ],
)
def test_it_takes_what_it_is_given(module: str, name: str, wanted: list[str]) -> None:
    assert parameters(module, name)[: len(wanted)] == wanted


def test_the_entrypoint_with_economics_is_an_entrypoint() -> None:
    chatbot = "kdcube_ai_app.apps.chat.sdk.solutions.chatbot"
    plain = importlib.import_module(f"{chatbot}.entrypoint").BaseEntrypoint
    economic = importlib.import_module(f"{chatbot}.entrypoint_with_economic").BaseEntrypointWithEconomics
    assert issubclass(economic, plain)
