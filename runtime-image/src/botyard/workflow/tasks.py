"""From a task to the communicator of its turn."""

import os
from collections.abc import Mapping
from typing import Any

from botyard.workflow.communicator import ChatCommunicator
from botyard.workflow.event_filter import IEventFilter
from botyard.workflow.protocol import ChatTaskPayload
from botyard.workflow.relays import Relay, build_relay_from_env

DEFAULT_TENANT = "default"
DEFAULT_PROJECT = "default"


def task_of(context: ChatTaskPayload | Mapping[str, Any]) -> ChatTaskPayload:
    """Return a task that was given as a model or as an object.

    Raises:
        pydantic.ValidationError: It is neither.
    """
    return context if isinstance(context, ChatTaskPayload) else ChatTaskPayload.model_validate(context)


def tenant_of(task: ChatTaskPayload) -> str:
    """Return for whom the platform works."""
    return task.actor.tenant_id or os.environ.get("TENANT_ID") or DEFAULT_TENANT


def project_of(task: ChatTaskPayload) -> str:
    """Return the tenant's project."""
    return task.actor.project_id or os.environ.get("DEFAULT_PROJECT_NAME") or DEFAULT_PROJECT


def request_id_of(task: ChatTaskPayload) -> str:
    """Return the id of a request; hosts that give none for the request itself give the task one."""
    if "request_id" in task.request.model_fields_set:
        return task.request.request_id
    told = (task.meta.model_extra or {}).get("request_id")
    return str(told or (task.meta.task_id if "task_id" in task.meta.model_fields_set else task.request.request_id))


def service_of(task: ChatTaskPayload) -> dict[str, Any]:
    """Return `service` of the envelopes of a task."""
    return {
        "request_id": request_id_of(task),
        "tenant": tenant_of(task),
        "project": project_of(task),
        "user": task.user.user_id,
        "user_obj": user_object(task),
    }


def user_object(task: ChatTaskPayload) -> dict[str, Any]:
    """Return `service.user_obj` of the envelopes of a task."""
    user = task.user
    return {
        "user_type": user.user_type,
        "user_id": user.user_id,
        "username": user.username,
        "fingerprint": user.fingerprint,
        "roles": list(user.roles),
        "permissions": list(user.permissions),
        "timezone": user.timezone,
        "utc_offset_min": user.utc_offset_min,
    }


def conversation_of(task: ChatTaskPayload) -> dict[str, Any]:
    """Return `conversation` of the envelopes of a task."""
    routing = task.routing
    return {
        "session_id": routing.session_id,
        "conversation_id": routing.conversation_id or routing.session_id,
        "turn_id": routing.turn_id,
    }


def build_comm_from_comm_context(
    task: ChatTaskPayload | Mapping[str, Any],
    *,
    relay: Relay | None = None,
    event_filter: IEventFilter | None = None,
) -> ChatCommunicator:
    """Return the communicator of a task.

    Args:
        task: The task.
        relay: Carries its events; None: the one of `build_relay_from_env`.
        event_filter: Decides what its user receives; None: everything.
    """
    task = task_of(task)
    return ChatCommunicator(
        emitter=relay if relay is not None else build_relay_from_env(),
        tenant=tenant_of(task),
        project=project_of(task),
        user_id=task.user.user_id,
        user_type=task.user.user_type,
        service=service_of(task),
        conversation=conversation_of(task),
        event_filter=event_filter,
        target_sid=task.routing.socket_id,
    )


def state_of(task: ChatTaskPayload) -> dict[str, Any]:
    """Return what a task tells the state of its turn (see `state.initial_state`)."""
    request = task.request
    return {
        **{key: value for key, value in request.payload.items() if isinstance(key, str)},
        "request_id": request_id_of(task),
        "tenant": tenant_of(task),
        "project": project_of(task),
        "user": task.user.user_id,
        "user_type": task.user.user_type,
        "session_id": task.routing.session_id,
        "conversation_id": task.routing.conversation_id or task.routing.session_id,
        "turn_id": task.routing.turn_id,
        "text": request.message,
        "history": list(request.chat_history),
    }


def accounting_of(task: ChatTaskPayload) -> dict[str, Any]:
    """Return what accounting knows of the turn of a task (see `AccountingSystem.set_context`)."""
    return {
        "component": "chat.orchestrator",
        "user_id": task.user.user_id,
        "user_type": task.user.user_type,
        "session_id": task.routing.session_id,
        "request_id": request_id_of(task),
        "app_bundle_id": task.routing.bundle_id,
        "tenant_id": tenant_of(task),
        "project_id": project_of(task),
        "conversation_id": task.routing.conversation_id,
        "turn_id": task.routing.turn_id,
    }
