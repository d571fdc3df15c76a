"""Whether an object still is what was applied."""

from typing import Any

import pytest

from botyard_operator.builders.drift import drifted

SAME: list[tuple[str, Any, Any]] = [
    ("defaults", {"spec": {"replicas": 1}}, {"spec": {"replicas": 1, "paused": False}, "status": {}}),
    ("quantities", {"limits": {"cpu": "0.5", "memory": "1024Mi"}}, {"limits": {"cpu": "500m", "memory": "1Gi"}}),
    ("empty folders", {"emptyDir": {}}, {"emptyDir": {}}),
    ("dropped zero values", {"readOnly": False, "args": [], "env": {}}, {}),
    (
        "injected containers",
        {"containers": [{"name": "worker", "image": "a"}]},
        {"containers": [{"name": "proxy", "image": "p"}, {"name": "worker", "image": "a", "stdin": False}]},
    ),
    ("others' labels", {"labels": {"a": "1"}}, {"labels": {"a": "1", "b": "2"}}),
    (
        "ports without names",
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
    ),
]
DIFFERENT: list[tuple[str, Any, Any]] = [
    ("a changed value", {"spec": {"replicas": 1}}, {"spec": {"replicas": 7}}),
    ("a missing field", {"spec": {"replicas": 1}}, {"spec": {}}),
    ("a missing object", {"spec": {"replicas": 1}}, {}),
    ("another quantity", {"limits": {"memory": "1Gi"}}, {"limits": {"memory": "1G"}}),
    ("a quantity that is no quantity", {"limits": {"memory": "1Gi"}}, {"limits": {"memory": "much"}}),
    ("a missing entry", {"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "B", "value": "1"}]}),
    ("another order where order counts", {"args": ["a", "b"]}, {"args": ["b", "a"]}),
    ("an argument more", {"args": ["a"]}, {"args": ["a", "b"]}),
    ("a selector that selects less", {"selector": {"a": "1"}}, {"selector": {"a": "1", "b": "2"}}),
    ("a list that became a map", {"args": ["a"]}, {"args": {"a": "b"}}),
    ("text outside quantities", {"value": "1024Mi"}, {"value": "1Gi"}),
]


@pytest.mark.parametrize(("what", "wanted", "live"), SAME, ids=[case[0] for case in SAME])
def test_is_no_drift(what: str, wanted: Any, live: Any) -> None:
    assert not drifted(wanted, live), what


@pytest.mark.parametrize(("what", "wanted", "live"), DIFFERENT, ids=[case[0] for case in DIFFERENT])
def test_is_drift(what: str, wanted: Any, live: Any) -> None:
    assert drifted(wanted, live), what
