"""…/collections: the documents that a bot answers questions from, beside those of its bundle."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core.errors import KnowledgeFull
from botyard.core.knowledge import MAX_DOCUMENT_BYTES
from botyard.gateway import bodies, parameters
from botyard.gateway.access import admit
from botyard.gateway.context import Gateway
from botyard.gateway.models.knowledge import CollectionAnswer, CollectionList, DocumentAnswer, DocumentList
from botyard.gateway.problems import Problem

_COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DOCUMENT = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")
_TEXTS = ("text/plain", "text/markdown")


async def get_collections(gateway: Gateway, request: Request) -> Response:
    """List the collections with uploaded documents."""
    admission = await admit(gateway, request, verb="operate")
    parameters.only(request)
    found = await gateway.knowledge.collections(admission.bot)
    listed = tuple(CollectionAnswer(collection=name, version=version) for name, version in sorted(found.items()))
    return JSONResponse(CollectionList(collections=listed).model_dump())


async def get_documents(gateway: Gateway, request: Request) -> Response:
    """List the uploaded documents of a collection."""
    admission = await admit(gateway, request, verb="operate")
    parameters.only(request)
    collection = _collection(request)
    sizes = await gateway.knowledge.sizes(admission.bot, collection)
    listed = tuple(DocumentAnswer(collection=collection, document=name, size=size) for name, size in sizes.items())
    return JSONResponse(DocumentList(documents=listed).model_dump())


async def put_document(gateway: Gateway, request: Request) -> Response:
    """Keep the body as a document, in the place of one of the same name."""
    admission = await admit(gateway, request, verb="operate")
    parameters.only(request)
    collection, name = _collection(request), _document(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _TEXTS:
        raise Problem("unsupported-media-type", f"Content-Type must be {' or '.join(_TEXTS)}.")
    body = await bodies.read(request, limit=MAX_DOCUMENT_BYTES)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(
            "bad-parameter", f"The document is no UTF-8 text: {error.reason} at byte {error.start}."
        ) from None
    try:
        await gateway.knowledge.put(admission.bot, collection, name, text)
    except KnowledgeFull as error:
        raise Problem("knowledge-full", str(error)) from None
    return JSONResponse(DocumentAnswer(collection=collection, document=name, size=len(body)).model_dump())


async def delete_document(gateway: Gateway, request: Request) -> Response:
    """Drop an uploaded document."""
    admission = await admit(gateway, request, verb="operate")
    parameters.only(request)
    if not await gateway.knowledge.delete(admission.bot, _collection(request), _document(request)):
        raise Problem("unknown-document")
    return Response(status_code=204)


def _collection(request: Request) -> str:
    name = str(request.path_params["collection"])
    if not _COLLECTION.fullmatch(name):
        raise Problem("bad-parameter", "A collection's name has 1 to 64 letters, digits, `_`, `.` or `-`.")
    return name


def _document(request: Request) -> str:
    name = str(request.path_params["document"])
    if not _DOCUMENT.fullmatch(name):
        raise Problem("bad-parameter", "A document's name has 1 to 200 characters, no `/` among them.")
    return name
