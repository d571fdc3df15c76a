"""Which objects a spec refers to."""

from botyard_operator.reconcile.base import Key
from botyard_operator.references import references


def test_finds_references_wherever_the_spec_has_them() -> None:
    spec = {
        "bundleRef": {"name": "code", "namespace": "library"},
        "model": {"secretRef": {"name": "llm", "key": "k"}, "script": {"configMapRef": {"name": "script"}}},
        "credentials": [{"name": "KEY", "secretKeyRef": {"name": "pay", "key": "k"}}],
    }
    assert references({"metadata": {"namespace": "shop"}, "spec": spec}) == {
        Key("Bundle", "library", "code"),
        Key("Secret", "shop", "llm"),
        Key("ConfigMap", "shop", "script"),
        Key("Secret", "shop", "pay"),
    }


def test_the_users_own_content_refers_to_nothing() -> None:
    spec = {"config": {"secretRef": {"name": "x"}}, "setup": {"botRef": {"name": "y"}}}
    assert references({"metadata": {"namespace": "shop"}, "spec": spec}) == frozenset()


def test_a_broken_spec_refers_to_nothing() -> None:
    assert references({"metadata": {}, "spec": {"secretRef": "name", "botRef": {"name": 7}}}) == frozenset()
    assert references({"metadata": {}, "spec": None}) == frozenset()
