"""Calls of uploaded documents that bots answer from."""

from botyard.gateway import knowledge
from botyard.gateway.models.knowledge import CollectionList, DocumentAnswer, DocumentList
from botyard.gateway.operations.operation import BASE, BOT_PROBLEMS, Operation

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        BASE + "/collections",
        knowledge.get_collections,
        "List the collections of uploaded documents that a bot answers from",
        200,
        answer=CollectionList,
        problems=(*BOT_PROBLEMS, "storage-unavailable"),
    ),
    Operation(
        "GET",
        BASE + "/collections/{collection}/documents",
        knowledge.get_documents,
        "List the uploaded documents of a collection",
        200,
        answer=DocumentList,
        problems=(*BOT_PROBLEMS, "storage-unavailable"),
    ),
    Operation(
        "PUT",
        BASE + "/collections/{collection}/documents/{document}",
        knowledge.put_document,
        "Upload a document, in the place of one of the same name",
        200,
        answer=DocumentAnswer,
        body="text/markdown",
        problems=(
            *BOT_PROBLEMS,
            "timeout",
            "too-large",
            "unsupported-media-type",
            "knowledge-full",
            "storage-unavailable",
        ),
    ),
    Operation(
        "DELETE",
        BASE + "/collections/{collection}/documents/{document}",
        knowledge.delete_document,
        "Drop an uploaded document",
        204,
        problems=(*BOT_PROBLEMS, "unknown-document", "storage-unavailable"),
    ),
)
