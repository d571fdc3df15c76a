"""What is told of a source that cannot be reached: what to do, and nothing of its password."""

import pytest

from botyard.connector.database import Database
from botyard.connector.problems import Problem


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://shop:se%cret@127.0.0.1:1/shop",
        "postgresql://shop:cret/se@127.0.0.1:1/shop",
        "postgresql://shop:se@cret@127.0.0.1:1/shop",
        "host=127.0.0.1 port=1 password=se cret",
        "host=127.0.0.1 port=cret",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(address: str) -> None:
    with pytest.raises(Problem) as told:
        Database(address).ask("SELECT 1")
    assert told.value.notice.reason == "AccessDenied"
    assert "cret" not in str(told.value)
    assert "%XX" in str(told.value)
