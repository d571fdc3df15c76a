"""Which tag a range of versions means."""

import pytest

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.request import Ref
from botyard_operator.fetch.versions import find_ref

TAGS = (
    "v1.0.0",
    "v1.2.3",
    "1.3",
    "v1.10.0",
    "v2.0.0-rc.1",
    "v2.0.0-rc.10",
    "nightly",
    "v1.10.0+build.5",
    "release-9.9.9",
)
REFS = {f"refs/tags/{tag}": f"{number:040x}" for number, tag in enumerate(TAGS, 1)} | {"refs/heads/9.0.0": "f" * 40}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("^1.2", "v1.10.0+build.5"),
        ("~1.2", "v1.2.3"),
        (">=1.0.0 <1.3.0", "v1.2.3"),
        (">= 1.0.0, < 1.3.0", "v1.2.3"),
        ("1.3.x || 1.0.0", "1.3"),
        ("1.0 - 1.2", "v1.2.3"),
        ("=1.0.0", "v1.0.0"),
        (">=2.0.0-rc.1", "v2.0.0-rc.10"),
        ("*", "v1.10.0+build.5"),
        ("^3", None),
    ],
)
def test_a_range_means_the_highest_tag_within_it(text: str, tag: str | None) -> None:
    found = find_ref(Ref(kind="semver", name=text), REFS)
    assert (found.name if found else None) == tag


def test_the_commit_of_an_annotated_tag_is_told_beside_the_tag() -> None:
    found = find_ref(Ref(kind="semver", name="*"), {"refs/tags/v1.0.0": "a" * 40, "refs/tags/v1.0.0^{}": "b" * 40})
    assert found is not None
    assert (found.object, found.commit) == ("a" * 40, "b" * 40)


@pytest.mark.parametrize("text", ["latest", "1..2", ">=", "1.0.0.0.0"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(FetchError) as caught:
        find_ref(Ref(kind="semver", name=text), REFS)
    assert caught.value.reason == Reason.RANGE_INVALID
