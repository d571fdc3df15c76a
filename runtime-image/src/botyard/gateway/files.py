"""POST …/files and GET …/files/{file}: files of messages, sent once and referred to by id."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import asdict
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from botyard.core.errors import FilesFull
from botyard.core.files import MAX_BYTES, StoredFile
from botyard.gateway import parameters
from botyard.gateway.access import Admission, admit
from botyard.gateway.context import Gateway
from botyard.gateway.models.files import FileAnswer, FileReference
from botyard.gateway.problems import Problem

READ_TIMEOUT_SECONDS = 120.0
"""For a whole upload."""
_FILE = re.compile(r"file_[A-Za-z0-9_-]{20}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_FILE_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,255}")


async def post_file(gateway: Gateway, request: Request) -> Response:
    """Keep the body as a file: 201 once the event store has it."""
    admission = await admit(gateway, request)
    parameters.only(request, "name")
    if wait := gateway.limiter.take((admission.principal.subject, admission.bot)):
        raise Problem("rate-limited", retry_after=wait)
    name, media_type = _name(request), _media_type(request)
    size = _size(request, limit=gateway.files.limits.file_bytes)
    try:
        stored = await gateway.files.write(
            admission.bot,
            user=admission.principal.subject,
            name=name,
            media_type=media_type,
            size=size,
            content=_content(request),
        )
    except FilesFull as error:
        raise Problem(
            "files-full", f"The files of {admission.bot} take the {error.limit} bytes that they may.", retry_after=60
        ) from None
    except TimeoutError:
        raise Problem(
            "timeout", f"The file did not arrive within {READ_TIMEOUT_SECONDS:g} s.", headers={"Connection": "close"}
        ) from None
    except (ClientDisconnect, ValueError):
        raise Problem("bad-parameter", "The connection ended before the file did.") from None
    answer = FileAnswer(**{key: value for key, value in asdict(stored).items() if key in FileAnswer.model_fields})
    route = admission.route
    location = f"/v1/namespaces/{route.namespace}/bots/{route.name}/files/{stored.id}"
    return JSONResponse(answer.model_dump(), 201, headers={"Location": location})


async def get_file(gateway: Gateway, request: Request) -> Response:
    """Return a file of the caller as it was sent."""
    admission = await admit(gateway, request)
    parameters.only(request)
    stored = await _find(admission, str(request.path_params["file"]), or_privileged=True)
    if stored is None:
        raise Problem("unknown-file")
    headers = {
        # Never shown inside of this origin: who sent it decided what it is.
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(stored.name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Content-Length": str(stored.size),
    }
    if request.method == "HEAD":
        return Response(headers=headers, media_type=stored.type)
    return StreamingResponse(gateway.files.read(stored), headers=headers, media_type=stored.type)


async def resolve(admission: Admission, references: tuple[FileReference, ...]) -> list[dict[str, object]]:
    """Return the references as the bot gets them: those by id with what is known of the file, and kept anew.

    Raises:
        Problem: `unknown-file`, or `too-large` when the files by id are too large together.
    """
    found: list[dict[str, object]] = []
    total = 0
    for reference in references:
        if reference.id is None:
            found.append(reference.model_dump(mode="json", exclude={"id"}))
            continue
        stored = await _find(admission, reference.id, or_privileged=False)
        if stored is None or not await admission.gateway.files.keep(admission.bot, stored):
            raise Problem("unknown-file", f"There is no file {reference.id[:64]} of yours for this bot.")
        total += stored.size
        if total > MAX_BYTES:
            raise Problem("too-large", f"The files of one message may have {MAX_BYTES} bytes together.")
        name = reference.name or stored.name
        found.append({"id": stored.id, "name": name, "type": stored.type, "size": stored.size})
    return found


async def _find(admission: Admission, file: str, *, or_privileged: bool) -> StoredFile | None:
    """Return a file of the caller for this bot; those of others are answered like files that do not exist."""
    if not _FILE.fullmatch(file):
        return None
    stored = await admission.gateway.files.find(file)
    if stored is None or stored.bot != str(admission.bot):
        return None
    if stored.user == admission.principal.subject or (or_privileged and await admission.may_act_for_others()):
        return stored
    return None


def _name(request: Request) -> str:
    name = request.query_params.get("name", "file")
    if not _FILE_NAME.fullmatch(name):
        raise Problem("bad-parameter", "The parameter `name` must be a file name of 1 to 255 characters.")
    return name


def _media_type(request: Request) -> str:
    given = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if not _MEDIA_TYPE.fullmatch(given):
        raise Problem("unsupported-media-type", "Content-Type must be a media type such as image/png.")
    return given


def _size(request: Request, *, limit: int) -> int:
    declared = request.headers.get("content-length", "")
    if not declared.isdigit():
        raise Problem("length-required", headers={"Connection": "close"})
    if int(declared) > limit:
        raise Problem(
            "too-large", f"A file may have {limit} bytes here, not {declared[:20]}.", headers={"Connection": "close"}
        )
    if int(declared) == 0:
        raise Problem("bad-parameter", "The file is empty.")
    return int(declared)


async def _content(request: Request) -> AsyncIterator[bytes]:
    async with asyncio.timeout(READ_TIMEOUT_SECONDS):
        async for chunk in request.stream():
            yield chunk
