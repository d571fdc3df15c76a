"""The policy in the URL of Redis."""

import pytest

from botyard.core.acknowledgement import FlushingCluster, FlushingRedis, split
from botyard.core.connection import connect


@pytest.mark.parametrize(
    ("url", "plain", "replicas"),
    [
        ("redis://h:1/0", "redis://h:1/0", None),
        ("redis://h:1/0?acknowledge=fsync", "redis://h:1/0", 0),
        ("unix:///s/redis.sock?acknowledge=fsync&replicas=2", "unix:///s/redis.sock", 2),
        ("rediss://u:p%3F@h:1/0?ssl_cert_reqs=none&acknowledge=fsync", "rediss://u:p%3F@h:1/0?ssl_cert_reqs=none", 0),
    ],
)
def test_the_policy_is_taken_out_of_the_url(url: str, plain: str, replicas: int | None) -> None:
    assert split(url) == (plain, replicas)


@pytest.mark.parametrize(
    "query",
    [
        "acknowledge=memory",
        "acknowledge=",
        "replicas=1",
        "acknowledge=fsync&replicas=-1",
        "acknowledge=fsync&replicas=17",
    ],
)
def test_another_policy_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="the URL of Redis must"):
        split(f"redis://h:1/0?{query}")


async def test_every_kind_of_url_may_carry_it() -> None:
    assert isinstance(connect("redis+sentinel://h:1/main/0?acknowledge=fsync"), FlushingRedis)
    found: object = connect("redis+cluster://h:1?acknowledge=fsync&replicas=2")
    assert isinstance(found, FlushingCluster)
    assert found.replicas == 2
