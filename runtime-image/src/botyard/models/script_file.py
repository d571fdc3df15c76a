"""A model script in a file, read again when the file changes."""

from pathlib import Path

from botyard.models import script
from botyard.models.errors import ModelError


class ScriptFile:
    """The script that a file holds now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._script: script.Script | None = None

    def load(self) -> script.Script:
        """Return the script.

        Raises:
            OSError: The file cannot be read.
            ScriptError: It holds no script.
        """
        found = self._path.stat()
        # A mounted ConfigMap is swapped by a link, so the file behind the name has another inode.
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._script is None or stamp != self._stamp:
            self._script = script.load(self._path.read_bytes())
            self._stamp = stamp
        return self._script

    def current(self) -> script.Script:
        """Return the script, for calls.

        Raises:
            ModelError: There is none.
        """
        try:
            return self.load()
        except (OSError, script.ScriptError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ModelError(f"the model script cannot be used: {reason}", code="bad_script", status=503) from error
