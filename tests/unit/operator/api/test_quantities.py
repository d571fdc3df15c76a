from decimal import Decimal

import pytest

from botyard_operator.api.quantities import QuantityText, parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", "2"),
        ("500m", "0.5"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("100Mi", str(100 * 1024**2)),
        ("1.5Gi", str(3 * 2**29)),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", str(10**18)),
        ("-1", "-1"),
        ("10u", "0.00001"),
        ("2Ei", str(2 * 1024**6)),
    ],
)
def test_reads_kubernetes_quantities(text: str, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


def test_a_size_is_bytes() -> None:
    assert QuantityText("1Mi").bytes == 1_048_576


@pytest.mark.parametrize("text", ["", "Mi", "1 Mi", "1MB", "1ki", "1e", "..", "1\n", "0x10"])
def test_says_how_a_quantity_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="write for instance 500m"):
        parse_quantity(text)
