"""What the chart refuses, with a message that says what to write instead."""

from typing import Any

import pytest

from tests.unit.charts.conftest import Template, TemplateError


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"opperator": {}}, "additional properties 'opperator' not allowed"),
        ({"operator": {"logLevel": "LOUD"}}, "operator/logLevel"),
        ({"namespaces": ["Shop"]}, "namespaces/0"),
        ({"images": {"runtime": {"pullPolicy": "Sometimes"}}}, "pullPolicy"),
        ({"redis": {"url": "http://redis:6379"}}, "redis/url"),
        ({"redis": {"enabled": False}}, "set redis.url, or redis.existingSecret"),
        ({"redis": {"url": "redis://other:6379/0"}}, "need redis.enabled=false"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], says: str, template: Template) -> None:
    with pytest.raises(TemplateError) as refused:
        template(**values)
    assert says in str(refused.value)


def test_own_redis_by_url_reaches_gateway_and_operator(template: Template) -> None:
    objects = template(redis={"enabled": False, "url": "rediss://user:pass@redis.example.com:6380/0"})
    secret = next(
        found for found in objects if found["kind"] == "Secret" and found["metadata"]["name"] == "botyard-redis"
    )
    assert set(secret["data"]) == {"redis-url"}
    assert not [
        found for found in objects if found["kind"] == "Deployment" and found["metadata"]["name"] == "botyard-redis"
    ]
    for name in ("botyard-operator", "botyard-gateway"):
        pods = next(
            found["spec"]["template"]["spec"]
            for found in objects
            if found["kind"] == "Deployment" and found["metadata"]["name"] == name
        )
        volume = next(found for found in pods["volumes"] if found["name"] == "redis")
        assert volume["secret"]["secretName"] == "botyard-redis"
