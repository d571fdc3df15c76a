"""Documents of a scenario do what those of a cluster do."""

import pytest

from botyard.core.documents import DocumentError, digest_of
from botyard.scenario.documents import ScenarioDocuments


def test_documents_are_written_read_listed_and_removed() -> None:
    documents = ScenarioDocuments()
    assert documents.ask("documents.write", {"path": "a/b", "content": "one"}) == 1
    assert documents.ask("documents.write", {"path": "/a/b", "content": "two", "expected": digest_of("one")}) == 2
    assert documents.ask("documents.read", {"path": "/a/b"})["content"] == "two"
    assert documents.ask("documents.read", {"path": "/a/b", "version": 1})["content"] == "one"
    assert documents.ask("documents.list", {"path": "/a/"}) == ["/a/b"]
    documents.ask("documents.remove", {"path": "/a/b"})
    assert documents.ask("documents.list", {"path": "/"}) == []
    assert [found["version"] for found in documents.ask("documents.versions", {"path": "/a/b"})] == [2, 1]


@pytest.mark.parametrize(
    ("method", "args", "code"),
    [
        ("documents.read", {"path": "/none"}, "NotFound"),
        ("documents.remove", {"path": "/none"}, "NotFound"),
        ("documents.write", {"path": "/a", "content": "x", "create": True}, "Exists"),
        ("documents.write", {"path": "/a", "content": "x", "expected": "other"}, "Changed"),
        ("documents.write", {"path": "/../a", "content": "x"}, "BadPath"),
    ],
)
def test_what_a_cluster_refuses_is_refused(method: str, args: dict[str, object], code: str) -> None:
    documents = ScenarioDocuments()
    documents.ask("documents.write", {"path": "/a", "content": "one"})
    with pytest.raises(DocumentError) as refused:
        documents.ask(method, args)
    assert refused.value.code == code
