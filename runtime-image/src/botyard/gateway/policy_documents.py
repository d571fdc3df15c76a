"""…/policy-documents: the documents that the loop bots of a namespace share, for the people who run a bot."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core.documents import DocumentError
from botyard.gateway import bodies, parameters
from botyard.gateway.access import Admission, admit
from botyard.gateway.context import Gateway
from botyard.gateway.models.policy_documents import PolicyDocumentAnswer, PolicyDocumentList, PolicyDocumentRequest
from botyard.gateway.problems import Problem

_PROBLEMS = {"NotFound": "unknown-document", "Changed": "document-changed", "TooLarge": "too-large"}


async def list_policy_documents(gateway: Gateway, request: Request) -> Response:
    """Return the paths of a workspace's documents, a page at a time."""
    admission = await _admit_operator(gateway, request)
    parameters.only(request, "prefix", "after", "limit")
    limit = parameters.number(request, "limit", default=100, least=1, most=1000)
    prefix, after = request.query_params.get("prefix") or "/", request.query_params.get("after", "")
    found = await gateway.documents.paths(admission.bot.namespace, prefix, after=after, limit=limit)
    answer = PolicyDocumentList(paths=tuple(found), last=found[-1] if found else "")
    return JSONResponse(answer.model_dump())


async def get_policy_document(gateway: Gateway, request: Request) -> Response:
    """Return a document, or one of its older versions."""
    admission = await _admit_operator(gateway, request)
    parameters.only(request, "path", "version")
    version = parameters.number(request, "version", default=0, least=0, most=10**9)
    try:
        found = await gateway.documents.read(admission.bot.namespace, request.query_params.get("path", ""), version)
    except DocumentError as error:
        raise _problem(error) from error
    return JSONResponse(PolicyDocumentAnswer(**found.as_record()).model_dump())


async def put_policy_document(gateway: Gateway, request: Request) -> Response:
    """Write a document: a new version, if it changes anything."""
    admission = await _admit_operator(gateway, request)
    body = await bodies.read_json(request, PolicyDocumentRequest, limit=2 * 1024 * 1024)
    workspace = admission.bot.namespace
    try:
        await gateway.documents.write(
            workspace, body.path, body.content, by=admission.principal.subject, expected=body.expected
        )
        found = await gateway.documents.read(workspace, body.path)
    except DocumentError as error:
        raise _problem(error) from error
    return JSONResponse(PolicyDocumentAnswer(**found.as_record()).model_dump())


async def _admit_operator(gateway: Gateway, request: Request) -> Admission:
    # What one bot reads, all of the namespace do: that is for people who run bots, not for whoever talks to one.
    return await admit(gateway, request, verb="operate")


def _problem(error: DocumentError) -> Problem:
    return Problem(_PROBLEMS.get(error.code, "bad-parameter"), f"{error}.")
