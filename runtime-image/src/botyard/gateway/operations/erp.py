"""The call that tells of changes of the company's database."""

from botyard.erp.changes import Change
from botyard.gateway import erp
from botyard.gateway.models.erp import ErpAnswer
from botyard.gateway.operations.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/namespaces/{namespace}/erp/{table}",
        erp.post_changes,
        "Tell of changed rows of the company's database",
        202,
        answer=ErpAnswer,
        body=Change,
        problems=(
            "bad-parameter",
            "unauthenticated",
            "forbidden",
            "authentication-unavailable",
            "malformed-json",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "invalid-body",
            "overloaded",
            "storage-unavailable",
        ),
    ),
)
