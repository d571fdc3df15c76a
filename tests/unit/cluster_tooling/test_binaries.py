"""What Go builds, and how far it is."""

from pathlib import Path

import pytest

from localcluster.binaries import BuildCounter, binaries_folder, go_version
from localcluster.layout import Layout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("go version go1.24.3 linux/amd64", (1, 24)),
        ("go version go1.19.8 linux/amd64", (1, 19)),
        ("go version go2.0 linux/arm64", (2, 0)),
        ("go version devel +abc", (0, 0)),
    ],
)
def test_the_version_of_go_is_read(text: str, expected: tuple[int, int]) -> None:
    assert go_version(text) == expected


def test_the_cache_is_named_by_the_sources(layout: Layout) -> None:
    (layout.sources / "pause").mkdir(parents=True)
    for name, text in {"go.mod": "module x", "go.sum": "", "pause/main.go": "package main"}.items():
        (layout.sources / name).write_text(text)
    before = binaries_folder(layout)
    assert binaries_folder(layout) == before
    assert before.is_relative_to(layout.cache)
    Path(layout.sources / "pause/main.go").write_text("package main // changed")
    assert binaries_folder(layout) != before


def test_the_progress_tells_downloads_and_compiled_packages() -> None:
    counter = BuildCounter()
    counter.count("go: downloading k8s.io/api v0.34.4")
    assert counter.summary == "1 modules downloaded"
    counter.count("fmt")
    counter.count("k8s.io/api/core/v1")
    counter.start_build()
    counter.count("k8s.io/api/core/v1")
    assert counter.summary == "1 of at most 2 packages compiled: k8s.io/api/core/v1"
