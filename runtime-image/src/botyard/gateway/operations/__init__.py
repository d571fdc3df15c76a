"""All calls of the HTTP API in one list: the server's routes and /openapi.json are both made from it."""

from botyard.gateway.operations import (
    bots,
    budgets,
    channels,
    chat,
    compatibility,
    conversations,
    dead_letters,
    erp,
    files,
    knowledge,
    messages,
    policy_documents,
    tasks,
    threads,
    usage,
)
from botyard.gateway.operations.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *bots.OPERATIONS,
    *messages.OPERATIONS,
    *files.OPERATIONS,
    *conversations.OPERATIONS,
    *policy_documents.OPERATIONS,
    *dead_letters.OPERATIONS,
    *knowledge.OPERATIONS,
    *compatibility.OPERATIONS,
    *channels.OPERATIONS,
    *erp.OPERATIONS,
    *tasks.OPERATIONS,
    *threads.OPERATIONS,
    *budgets.OPERATIONS,
    *usage.OPERATIONS,
    *chat.OPERATIONS,
)
