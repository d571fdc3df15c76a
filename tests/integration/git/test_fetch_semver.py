"""Ranges of versions: the highest tag within them, by one ls-remote."""

import pytest

from botyard_operator.fetch import FetchError, Reason, Ref
from tests.integration.git.content import FetchHere
from tests.integration.git.server import GitServer


def test_the_highest_version_of_a_range_is_taken_and_a_newer_tag_followed(
    git_server: GitServer, fetch_here: FetchHere
) -> None:
    repository = git_server.repository()
    commits = {}
    for tag in ("v1.2.0", "v1.10.0", "v2.0.0", "v1.11.0-rc.1", "nonsense"):
        commits[tag] = repository.commit({"bot.py": tag})
        repository.tag(tag, commits[tag], annotated=tag == "v1.10.0")
    url, ref = git_server.url(repository), Ref(kind="semver", name=">=1.2.0 <2.0.0")
    first = fetch_here(url, ref=ref)
    assert (first.name, first.commit) == ("v1.10.0", commits["v1.10.0"])
    assert ref.revision(first.commit, first.name) == f"v1.10.0@sha1:{first.commit}"
    same = fetch_here(url, ref=ref, known_commit=first.identity)
    assert (same.outcome, same.name) == ("unchanged", "v1.10.0")
    newer = repository.commit({"bot.py": "newer"})
    repository.tag("1.12.0", newer)
    assert fetch_here(url, ref=ref, known_commit=first.identity).commit == newer


def test_a_range_without_a_tag_and_one_that_is_none_are_told(git_server: GitServer, fetch_here: FetchHere) -> None:
    repository = git_server.repository()
    repository.tag("v1.0.0", repository.commit({"bot.py": "1"}))
    for text, reason in ((">=3", Reason.REF_NOT_FOUND), ("1..2", Reason.RANGE_INVALID)):
        with pytest.raises(FetchError) as caught:
            fetch_here(git_server.url(repository), ref=Ref(kind="semver", name=text))
        assert caught.value.reason == reason
        assert text in caught.value.message
