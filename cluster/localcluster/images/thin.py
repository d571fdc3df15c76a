"""Loading an image without the layers that are loaded already.

A docker archive holds every layer; containerd reads and hashes all of it at each import. In an OCI archive
(https://github.com/opencontainers/image-spec/blob/main/image-layout.md) a layer is found by its digest, so that one
which containerd's content store has may be left out: a change of code then loads a few hundred kilobytes.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
NAME_ANNOTATION = "io.containerd.image.name"


def write_thin_archive(source: Path, target: Path, *, names: Sequence[str], present: Set[str]) -> None:
    """Convert a docker archive with one image into an OCI archive.

    Args:
        source: The docker archive, with uncompressed layers.
        target: The OCI archive to write.
        names: Full names that the image gets.
        present: Digests (`sha256:…`) of the content that is there already.
    """
    with tarfile.open(source) as archive, tarfile.open(target, "w") as output:
        (entry,) = json.loads(_read(archive, "manifest.json"))
        config = _read(archive, entry["Config"])
        layers = []
        for path, digest in zip(entry["Layers"], json.loads(config)["rootfs"]["diff_ids"], strict=True):
            member = archive.getmember(path)
            layers.append({"mediaType": LAYER, "digest": digest, "size": member.size})
            if digest not in present:
                stream = archive.extractfile(member)
                assert stream is not None
                with stream:
                    blob = tarfile.TarInfo(_blob_path(digest))
                    blob.size = member.size
                    output.addfile(blob, stream)
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": _describe(CONFIG, config), "layers": layers}
        ).encode()
        described = _describe(MANIFEST, manifest)
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{**described, "annotations": {NAME_ANNOTATION: name}} for name in names],
        }
        _write(output, _blob_path(_digest(config)), config)
        _write(output, _blob_path(described["digest"]), manifest)
        _write(output, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _write(output, "index.json", json.dumps(index).encode())


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _describe(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream is not None
    with stream:
        return stream.read()


def _write(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))
