"""Calls of files."""

from botyard.gateway import files
from botyard.gateway.models.files import FileAnswer
from botyard.gateway.operations.operation import BASE, BOT_PROBLEMS, Operation, Parameter

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        BASE + "/files",
        files.post_file,
        "Keep a file, for messages to refer to",
        201,
        answer=FileAnswer,
        body="application/octet-stream",
        problems=(
            *BOT_PROBLEMS,
            "length-required",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "rate-limited",
            "files-full",
            "storage-unavailable",
        ),
        parameters=(Parameter("name", "query", "File name that people see (`file`)."),),
    ),
    Operation(
        "GET",
        BASE + "/files/{file}",
        files.get_file,
        "Get a file back",
        200,
        raw=True,
        problems=(*BOT_PROBLEMS, "unknown-file", "storage-unavailable"),
    ),
)
