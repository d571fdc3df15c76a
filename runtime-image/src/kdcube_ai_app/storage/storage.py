"""Storages by address, for bundles and hosts (see `botyard.workflow.storage`)."""

import asyncio
from typing import Any

from botyard.workflow.storage import Storage, open_storage

__all__ = ["StorageBackend", "create_storage_backend"]


class StorageBackend:
    """Files by path. Each method has an asynchronous twin whose name ends with `_a`."""

    def __init__(self, native: Storage) -> None:
        self.native = native

    def exists(self, path: str) -> bool:
        """Tell whether a file is there."""
        return self.native.exists(path)

    def read_bytes(self, path: str) -> bytes:
        """Return a file's content; raises FileNotFoundError."""
        return self.native.read(path)

    def read_text(self, path: str, encoding: str = "utf-8") -> str:
        """Return a file's text; raises FileNotFoundError."""
        return self.native.read(path).decode(encoding)

    def write_bytes(self, path: str, data: bytes, meta: Any = None) -> None:
        """Write a file, whole or not at all."""
        self.native.write(path, bytes(data))

    def write_text(self, path: str, content: str, encoding: str = "utf-8") -> None:
        """Write a text file, whole or not at all."""
        self.native.write(path, content.encode(encoding))

    def delete(self, path: str) -> None:
        """Remove a file, if it is there."""
        self.native.delete(path)

    def list_dir(self, path: str) -> list[str]:
        """Return the names of what is in a folder."""
        folder = path.strip("/")
        start = len(folder) + 1 if folder else 0
        return sorted({found[start:].partition("/")[0] for found in self.native.walk(folder)})

    def list_with_prefix(self, prefix: str) -> list[str]:
        """Return the paths of all files below a folder."""
        return list(self.native.walk(prefix.strip("/")))

    async def exists_a(self, path: str) -> bool:
        """Tell whether a file is there."""
        return await asyncio.to_thread(self.exists, path)

    async def read_bytes_a(self, path: str) -> bytes:
        """Return a file's content; raises FileNotFoundError."""
        return await asyncio.to_thread(self.read_bytes, path)

    async def read_text_a(self, path: str, encoding: str = "utf-8") -> str:
        """Return a file's text; raises FileNotFoundError."""
        return await asyncio.to_thread(self.read_text, path, encoding)

    async def write_bytes_a(self, path: str, data: bytes, meta: Any = None) -> None:
        """Write a file, whole or not at all."""
        await asyncio.to_thread(self.write_bytes, path, data, meta)

    async def write_text_a(self, path: str, content: str, encoding: str = "utf-8") -> None:
        """Write a text file, whole or not at all."""
        await asyncio.to_thread(self.write_text, path, content, encoding)

    async def delete_a(self, path: str) -> None:
        """Remove a file, if it is there."""
        await asyncio.to_thread(self.delete, path)

    async def list_dir_a(self, path: str) -> list[str]:
        """Return the names of what is in a folder."""
        return await asyncio.to_thread(self.list_dir, path)

    async def list_with_prefix_a(self, prefix: str) -> list[str]:
        """Return the paths of all files below a folder."""
        return await asyncio.to_thread(self.list_with_prefix, prefix)


def create_storage_backend(storage_uri: str, **options: Any) -> StorageBackend:
    """Return the storage of an address such as `file:///data`.

    Raises:
        botyard.workflow.storage.StorageError: The address is not understood.
    """
    return StorageBackend(open_storage(storage_uri))
