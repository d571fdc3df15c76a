"""Policy documents of the workspace; see `botyard.loop.documents`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botyard.loop import documents
from botyard.loop.errors import PlatformError, query_error
from botyard.loop.integrations.policy_documents import HELP, answer
from botyard.loop.integrations.policy_documents import TOOL as POLICY_DOCUMENT_TOOL

__all__ = ["HELP", "POLICY_DOCUMENT_TOOL", "IntegrationPdoc", "PdocDocument", "PdocListItem", "PdocUpdate"]


@dataclass
class PdocDocument:
    """A document that was read."""

    path: str
    pdoc_content: Any
    """As data where it is JSON, else the text."""
    is_folder: bool = False
    version: int = 0
    md5: str = ""


@dataclass
class PdocListItem:
    """A document of a list."""

    path: str
    is_folder: bool = False


@dataclass
class PdocUpdate:
    """What came of an update of one place."""

    changes_saved: bool
    latest_text: str = ""
    md5_requested: str = ""
    md5_found: str = ""
    problem_message: str = ""
    more: dict[str, Any] = field(default_factory=dict)


class IntegrationPdoc:
    """The documents as a bot's code uses them. Who asks is known: `fuser_id`, `persona_id` and keys are not used."""

    def __init__(self, rcx: Any = None, root_group_id: str = "", **more: Any) -> None:
        """Remember whose they are."""
        del root_group_id, more
        self.rcx = rcx
        self.is_fake = False

    async def called_by_model(self, toolcall: Any, model_produced_args: Mapping[str, Any] | None) -> str:
        """Do what a model's call asks for and return what it is told."""
        del toolcall
        return await answer(model_produced_args or {})

    async def pdoc_list(self, p: str = "/", *who: Any, **more: Any) -> list[PdocListItem]:
        """Return the documents in a folder and below it."""
        return [PdocListItem(path) for path in await documents.listed(p)]

    async def pdoc_cat(self, p: str, *who: Any, **more: Any) -> PdocDocument:
        """Return a document.

        Raises:
            gql.transport.exceptions.TransportQueryError: There is none.
        """
        try:
            found = await documents.read(p)
        except PlatformError as error:
            raise query_error(str(error)) from error
        try:
            content = found.data()
        except PlatformError:
            content = found.content
        return PdocDocument(found.path, content, version=found.version, md5=found.digest)

    async def pdoc_create(self, p: str, content: Any, *who: Any, **more: Any) -> None:
        """Write a document that is not there yet.

        Raises:
            gql.transport.exceptions.TransportQueryError: It is, or cannot be written.
        """
        await self._refusing(documents.create(p, content))

    async def pdoc_overwrite(self, p: str, content: Any, *who: Any, **more: Any) -> None:
        """Write a document, whatever is there."""
        await self._refusing(documents.write(p, content))

    async def pdoc_update_at_location(
        self,
        p: str,
        expected_md5: str = "",
        update_at: str | Sequence[str] = "",
        text: Any = "",
        *who: Any,
        **more: Any,
    ) -> PdocUpdate:
        """Set one place inside of a document; what somebody changed meanwhile is told, not raised."""
        try:
            await documents.update_at(p, update_at, text, expected=expected_md5)
        except PlatformError as error:
            if error.code not in ("Changed", "NoPlace", "NotJson"):
                raise query_error(str(error)) from error
            found = await documents.read(p)
            return PdocUpdate(False, found.content, expected_md5, found.digest, str(error))
        found = await documents.read(p)
        return PdocUpdate(True, found.content, expected_md5, found.digest)

    async def pdoc_cp(self, p1: str, p2: str, *who: Any, **more: Any) -> None:
        """Copy a document to where none is."""
        await self._refusing(documents.copy_to(p1, p2))

    async def pdoc_mv(self, p1: str, p2: str, *who: Any, **more: Any) -> None:
        """Move a document to where none is."""
        await self._refusing(documents.move(p1, p2))

    async def pdoc_rm(self, p: str, *who: Any, **more: Any) -> None:
        """Remove a document."""
        await self._refusing(documents.remove(p))

    @staticmethod
    async def _refusing(work: Any) -> None:
        try:
            await work
        except PlatformError as error:
            raise query_error(str(error)) from error


_SECTIONS = ("section01-input", "section02-draft-plan", "section03-progress", "section04-conclusion")


def _load_pdoc_schema(name: str) -> dict[str, Any]:
    """Return the JSON schema of the sections of a kind of document; `plan` is the only one.

    Raises:
        FileNotFoundError: There is no other.
    """
    if name != "plan":
        raise FileNotFoundError(f"there is no schema {name!r} of documents; there is: plan")
    section = {"type": "object", "properties": {"title": {"type": "string"}, "text": {"type": "string"}}}
    return {key: json.loads(json.dumps(section)) for key in _SECTIONS}
