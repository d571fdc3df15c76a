"""Reports: what the documents say about a subject, as a file."""

import asyncio
import os

from kdcube_ai_app.storage.storage import create_storage_backend

NAME = "report.md"


def markdown(subject, passages):
    """Return a report."""
    parts = [f"# {subject or 'Report'}"]
    for passage in passages:
        heading = passage["metadata"]["heading"].split(" > ")[-1]
        parts.append(f"## {heading}\n\n{passage['chunk']}\n\n_From {passage['metadata']['source']}._")
    return "\n\n".join(parts) + "\n"


async def keep(content, *, turn):
    """Keep a report in the storage, where there is one, and return what a client needs to know of it."""
    path = f"{turn}/files/{NAME}"
    if storage := os.environ.get("KDCUBE_STORAGE_PATH"):
        await asyncio.to_thread(create_storage_backend(storage).write_text, path, content)
    return {
        "artifact_id": f"file:{NAME}",
        "name": NAME,
        "mime": "text/markdown",
        "path": path,
        "size": len(content.encode()),
    }
