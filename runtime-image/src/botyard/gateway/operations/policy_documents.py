"""Calls of documents that loop bots share."""

from botyard.gateway import policy_documents
from botyard.gateway.models.policy_documents import PolicyDocumentAnswer, PolicyDocumentList, PolicyDocumentRequest
from botyard.gateway.operations.operation import BASE, BOT_PROBLEMS, Operation, Parameter

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        BASE + "/policy-documents",
        policy_documents.list_policy_documents,
        "List the documents that the loop bots of the namespace share",
        200,
        answer=PolicyDocumentList,
        problems=(*BOT_PROBLEMS, "storage-unavailable"),
        parameters=(
            Parameter("prefix", "query", "Only paths that begin so, such as /plans/."),
            Parameter("after", "query", "Only those behind this path."),
            Parameter("limit", "query", "Most documents, 1 to 1000.", "integer"),
        ),
    ),
    Operation(
        "GET",
        BASE + "/policy-documents/content",
        policy_documents.get_policy_document,
        "Read a document, or one of its older versions",
        200,
        answer=PolicyDocumentAnswer,
        problems=(*BOT_PROBLEMS, "unknown-document", "storage-unavailable"),
        parameters=(
            Parameter("path", "query", "Which one."),
            Parameter("version", "query", "An older version; 0: the newest.", "integer"),
        ),
    ),
    Operation(
        "PUT",
        BASE + "/policy-documents/content",
        policy_documents.put_policy_document,
        "Write a document",
        200,
        answer=PolicyDocumentAnswer,
        body=PolicyDocumentRequest,
        problems=(
            *BOT_PROBLEMS,
            "malformed-json",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "invalid-body",
            "unknown-document",
            "document-changed",
            "storage-unavailable",
        ),
    ),
)
