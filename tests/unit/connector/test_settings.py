"""What may be declared of a source."""

from pathlib import Path

import pytest

from botyard.connector.settings import Source, address, load


def test_tables_without_a_schema_are_public() -> None:
    source = Source(name="erp", namespace="shop", tables=("crm_contact", "sales.com_order"))
    assert source.places() == (("public", "crm_contact"), ("sales", "com_order"))
    assert source.slot == "botyard_shop_erp"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sources: [{name: Erp, namespace: shop, tables: [a]}]", "sources.0.name"),
        ("sources: [{name: erp, namespace: shop, tables: []}]", "sources.0.tables"),
        ("sources: [{name: erp, namespace: shop, tables: [a b]}]", "'a b' is no name of a table"),
        ("sources: [{name: erp, namespace: shop, tables: [a.t, b.t]}]", "of two schemas"),
        ("sources: [{name: erp, namespace: shop, tables: [a], pasword: x}]", "pasword"),
        ("sources: [{name: e, namespace: a-b, tables: [a]}, {name: b-e, namespace: a, tables: [a]}]", "botyard_a_b_e"),
        ("sources: [", "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=says):
        load(file)


def test_an_address_is_read_anew_and_its_absence_named(tmp_path: Path) -> None:
    source = Source(name="erp", namespace="shop", tables=("a",))
    with pytest.raises(ValueError, match="cannot be read"):
        address(tmp_path, source)
    (tmp_path / "erp").write_text("postgresql://shop@db/erp\n")
    assert address(tmp_path, source) == "postgresql://shop@db/erp"
    (tmp_path / "erp").write_text("secret")
    with pytest.raises(ValueError, match="holds no address") as refused:
        address(tmp_path, source)
    assert "secret" not in str(refused.value)
