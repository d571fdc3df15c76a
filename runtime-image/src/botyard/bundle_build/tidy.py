"""Takes out of a layer what tells the hour and folder of one installation, so that equal packages are equal bytes."""

import csv
import io
import shutil
from pathlib import Path

_OF_ONE_INSTALLATION = ("uv_cache.json", "uv_build.json", "direct_url.json")
"""What uv notes beside a package: times of files, and the folder of the build pod that a local package came from."""
_MOST_RECORD_BYTES = 64 * 1024 * 1024


def tidy(layer: Path) -> None:
    """Remove from a layer what belongs to its installation and not to its packages.

    Args:
        layer: What was installed. Foreign code wrote it: links are left alone, and so are records that are none.
    """
    shutil.rmtree(layer / "bin", ignore_errors=True)
    (layer / ".lock").unlink(missing_ok=True)
    for info in sorted(layer.glob("*.dist-info")):
        if info.is_symlink() or not info.is_dir():
            continue
        for name in _OF_ONE_INSTALLATION:
            if not (info / name).is_dir():
                (info / name).unlink(missing_ok=True)
        _sort_record(info)


def _sort_record(info: Path) -> None:
    """Sort the list of a package's files, without those that are gone; programs are in no layer."""
    record = info / "RECORD"
    if record.is_symlink() or not record.is_file() or record.stat().st_size > _MOST_RECORD_BYTES:
        return
    text = record.read_bytes().decode(errors="surrogateescape")
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:
        return
    gone = {f"{info.name}/{name}" for name in _OF_ONE_INSTALLATION}
    kept = sorted(row for row in rows if row and row[0] not in gone and not row[0].startswith(("bin/", "../../bin/")))
    sorted_text = io.StringIO(newline="")
    csv.writer(sorted_text, lineterminator="\n").writerows(kept)
    record.write_bytes(sorted_text.getvalue().encode(errors="surrogateescape"))
