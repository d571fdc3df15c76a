"""The process-wide switchboard under the name that bundles and their hosts know."""

from typing import Any

from botyard.workflow.accounting import context
from botyard.workflow.accounting.context import AccountingContext
from botyard.workflow.accounting.recorder import Recorder, StorageRecorder, process


class AccountingSystem:
    """Where events go, and what is known of the code that runs."""

    @staticmethod
    def init_storage(storage_backend: Any, enabled: bool = True) -> None:
        """Choose where this process keeps events.

        Args:
            storage_backend: A `botyard.workflow.storage.Storage`, a recorder, or anything that has `native`, the
                storage that it stands for, or `write_text(path, text)`.
            enabled: False: nothing is recorded.
        """
        process.chosen = _recorder_of(storage_backend) if storage_backend is not None else None
        process.enabled = enabled

    @staticmethod
    def is_enabled() -> bool:
        """Tell whether anything is recorded."""
        return process.enabled

    @staticmethod
    def set_context(**members: Any) -> None:
        """Say who uses services in what follows."""
        context.put(**members)

    @staticmethod
    def get_context() -> AccountingContext:
        """Return what is known here."""
        return context.get()

    @staticmethod
    def clear_context() -> None:
        """Forget what was said."""
        context.clear()


def _recorder_of(backend: Any) -> Recorder:
    if hasattr(backend, "record_async"):
        recorder: Recorder = backend
        return recorder
    backend = getattr(backend, "native", backend)
    if hasattr(backend, "write"):
        return StorageRecorder(backend)
    if not hasattr(backend, "write_text"):
        raise TypeError(f"{type(backend).__name__} is no storage: it has neither `write` nor `write_text`")
    return StorageRecorder(_TextStorage(backend))


class _TextStorage:
    """A host's own storage, of which only `write_text` is known."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def write(self, path: str, content: bytes) -> None:
        self._backend.write_text(path, content.decode())
