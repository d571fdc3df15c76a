"""Images of one static binary on nothing, written as docker archives without any tool."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
USER = "65532:65532"


def write_scratch_image(archive: Path, *, name: str, binary: Path) -> None:
    """Write a docker archive whose only file is `/BINARY`, which is its entry point.

    The content is reproducible: no times, no owners.

    Args:
        archive: The file to write.
        name: Full name of the image, with tag.
        binary: A statically linked program.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as content:
        entry = tarfile.TarInfo(binary.name)
        entry.size = binary.stat().st_size
        entry.mode = 0o755
        with binary.open("rb") as stream:
            content.addfile(entry, stream)
    data = layer.getvalue()
    config: dict[str, Any] = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": [f"/{binary.name}"], "User": USER, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}"]},
    }
    config_data = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(config_data).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".partial")
    with tarfile.open(partial, mode="w") as output:
        for file_name, body in (
            (config_name, config_data),
            ("layer.tar", data),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(file_name)
            entry.size = len(body)
            output.addfile(entry, io.BytesIO(body))
    partial.replace(archive)
