"""Equal content has equal names, and what is loaded already is not loaded again."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from localcluster.containerd import normalise, unescape
from localcluster.images.catalogue import IMAGES, Image
from localcluster.images.host import apt_conf, debian_mirror, pip_conf, pip_settings
from localcluster.images.thin import write_thin_archive
from localcluster.scratch import write_scratch_image


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src/package/__pycache__").mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    (tmp_path / "src/package/code.py").write_text("x = 1")
    (tmp_path / "src/run").write_text("#!/bin/sh")
    return tmp_path


IMAGE = Image("example", ("src",))


def test_the_tag_follows_the_content(project: Path) -> None:
    before = IMAGE.version(project)
    assert IMAGE.version(project) == before
    (project / "src/package/code.py").write_text("x = 2")
    assert IMAGE.version(project) != before


@pytest.mark.parametrize("change", ["Dockerfile", "src/new.py"])
def test_every_input_counts(project: Path, change: str) -> None:
    before = IMAGE.version(project)
    (project / change).write_text("changed")
    assert IMAGE.version(project) != before


def test_a_file_that_becomes_executable_counts(project: Path) -> None:
    before = IMAGE.version(project)
    (project / "src/run").chmod(0o755)
    assert IMAGE.version(project) != before


def test_compiled_files_do_not_count(project: Path) -> None:
    before = IMAGE.version(project)
    (project / "src/package/__pycache__/code.pyc").write_bytes(b"compiled")
    assert IMAGE.version(project) == before


def test_the_real_inputs_exist() -> None:
    project = Path(__file__).parents[3]
    for image in IMAGES:
        assert [name for name in image.inputs if not (project / name).exists()] == []


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("botyard/operator:1", "docker.io/botyard/operator:1"),
        ("redis:7", "docker.io/library/redis:7"),
        ("localhost/botyard/operator:1", "localhost/botyard/operator:1"),
        ("registry.example.com/a/b:1", "registry.example.com/a/b:1"),
        ("registry:5000/a:1", "registry:5000/a:1"),
    ],
)
def test_names_are_what_containerd_calls_them(image: str, full: str) -> None:
    assert normalise(image) == full


def test_mount_points_are_read_as_they_are() -> None:
    assert unescape("/a\\040b\\134c/ü") == "/a b\\c/ü"


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def docker_archive(path: Path, layers: list[bytes]) -> None:
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]}}).encode()
    names = [f"{number}.tar" for number in range(len(layers))]
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": names}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in [*zip(names, layers, strict=True), ("c.json", config), ("manifest.json", manifest)]:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def test_a_thin_archive_holds_new_layers_only_and_describes_all(tmp_path: Path) -> None:
    old, new = b"the base" * 1000, b"the code"
    docker_archive(tmp_path / "full.tar", [old, new])
    write_thin_archive(
        tmp_path / "full.tar", tmp_path / "thin.tar", names=["docker.io/a/b:1", "localhost/b:2"], present={sha256(old)}
    )
    with tarfile.open(tmp_path / "thin.tar") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    index = json.loads(files["index.json"])
    assert [item["annotations"]["io.containerd.image.name"] for item in index["manifests"]] == [
        "docker.io/a/b:1",
        "localhost/b:2",
    ]
    manifest = json.loads(files["blobs/" + index["manifests"][0]["digest"].replace(":", "/")])
    assert [(layer["digest"], layer["size"]) for layer in manifest["layers"]] == [(sha256(old), 8000), (sha256(new), 8)]
    assert files["blobs/" + sha256(new).replace(":", "/")] == new
    assert "blobs/" + sha256(old).replace(":", "/") not in files
    assert sha256(files["blobs/" + manifest["config"]["digest"].replace(":", "/")]) == manifest["config"]["digest"]


def test_a_scratch_image_is_reproducible(tmp_path: Path) -> None:
    binary = tmp_path / "pause"
    binary.write_bytes(b"\x7fELF")
    write_scratch_image(tmp_path / "a.tar", name="localhost/pause:1", binary=binary)
    binary.touch()
    write_scratch_image(tmp_path / "b.tar", name="localhost/pause:1", binary=binary)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        (entry,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(archive.extractfile(entry["Config"]))  # type: ignore[arg-type]
        layer = archive.extractfile(entry["Layers"][0]).read()  # type: ignore[union-attr]
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert config["rootfs"]["diff_ids"] == [sha256(layer)]


def test_builds_use_the_machines_package_index_and_certificates() -> None:
    settings = pip_settings({"PATH": "", "PIP_INDEX_URL": "https://index.example.com/simple", "PIP_VERBOSE": "1"})
    assert settings == {"index-url": "https://index.example.com/simple"}
    assert pip_conf(settings, certificates=True) == (
        "[global]\nindex-url = https://index.example.com/simple\ncert = /run/build-ca.crt\n"
    )


def test_builds_use_the_machines_proxy_and_not_its_local_paths() -> None:
    dump = 'Acquire::http::Proxy "http://proxy.example.com";\nAcquire::https::CaInfo "/x";\nDir "/";\n'
    assert apt_conf(dump, certificates=True) == (
        'Acquire::http::Proxy "http://proxy.example.com";\nAcquire::https::CaInfo "/run/build-ca.crt";\n'
    )


@pytest.mark.parametrize(
    ("name", "text", "mirror"),
    [
        ("sources.list", "deb http://mirror.example.com/debian bookworm main\n", "http://mirror.example.com/debian"),
        (
            "sources.list",
            "# deb http://old.example.com/debian x main\ndeb [arch=amd64] https://m.example.com/debian/ x main\n",
            "https://m.example.com/debian/",
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://m.example.com/debian\nSuites: bookworm\n",
            "http://m.example.com/debian",
        ),
        ("sources.list", "deb http://archive.example.com/ubuntu noble main\n", ""),
        ("sources.list", "deb http://m.example.com/debian-security bookworm-security main\n", ""),
    ],
)
def test_the_mirror_is_the_machines_own(tmp_path: Path, name: str, text: str, mirror: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert debian_mirror(tmp_path) == mirror
