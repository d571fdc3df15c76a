"""Shops: orders, payments, products."""

from decimal import Decimal
from typing import ClassVar

from botyard.loop.erp_tables.row import Row, table


@table
class ComOrder(Row):
    """The order of a shop's customer."""

    table: ClassVar[str] = "com_order"
    pkey: ClassVar[str] = "order_id"
    archived: ClassVar[str] = "order_archived_ts"

    order_id: str = ""
    order_number: str = ""
    contact_id: str = ""
    shop_id: str = ""
    order_status: str = ""
    order_currency: str = ""
    order_total: Decimal = Decimal(0)
    order_created_ts: float = 0.0
    order_archived_ts: float = 0.0


@table
class ComOrderItem(Row):
    """One line of an order."""

    table: ClassVar[str] = "com_order_item"
    pkey: ClassVar[str] = "oitem_id"

    oitem_id: str = ""
    order_id: str = ""
    pvar_id: str = ""
    oitem_name: str = ""
    oitem_qty: Decimal = Decimal(0)
    oitem_price: Decimal = Decimal(0)


@table
class ComPayment(Row):
    """Money for an order."""

    table: ClassVar[str] = "com_payment"
    pkey: ClassVar[str] = "pay_id"

    pay_id: str = ""
    order_id: str = ""
    pay_status: str = ""
    pay_method: str = ""
    pay_currency: str = ""
    pay_amount: Decimal = Decimal(0)
    pay_created_ts: float = 0.0


@table
class ComProduct(Row):
    """What a shop sells."""

    table: ClassVar[str] = "com_product"
    pkey: ClassVar[str] = "prod_id"
    archived: ClassVar[str] = "prod_archived_ts"

    prod_id: str = ""
    shop_id: str = ""
    prod_name: str = ""
    prod_description: str = ""
    prod_type: str = ""
    prod_created_ts: float = 0.0
    prod_archived_ts: float = 0.0


@table
class ComProductVariant(Row):
    """One form of a product."""

    table: ClassVar[str] = "com_product_variant"
    pkey: ClassVar[str] = "pvar_id"

    pvar_id: str = ""
    prod_id: str = ""
    pvar_name: str = ""
    pvar_sku: str = ""
    pvar_price: Decimal = Decimal(0)
    pvar_stock: Decimal = Decimal(0)


@table
class ComRefund(Row):
    """Money that went back."""

    table: ClassVar[str] = "com_refund"
    pkey: ClassVar[str] = "refund_id"

    refund_id: str = ""
    pay_id: str = ""
    order_id: str = ""
    refund_reason: str = ""
    refund_amount: Decimal = Decimal(0)
    refund_created_ts: float = 0.0


@table
class ComShop(Row):
    """A shop."""

    table: ClassVar[str] = "com_shop"
    pkey: ClassVar[str] = "shop_id"
    archived: ClassVar[str] = "shop_archived_ts"

    shop_id: str = ""
    shop_name: str = ""
    shop_type: str = ""
    shop_url: str = ""
    shop_currency: str = ""
    shop_created_ts: float = 0.0
    shop_archived_ts: float = 0.0
