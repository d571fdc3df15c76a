"""Who gets a change."""

from typing import Any

from botyard.contract.erp import ErpSubscription, Subscription, together
from botyard.contract.routes import Route
from botyard.erp.changes import Change
from botyard.erp.routing import ANY_TABLE, RoutingPlan

INSERT = Change(action="INSERT", new={"contact_country": "DE", "contact_email": "a@b"})


def plan(*subscriptions: Subscription, name: str = "clerk") -> RoutingPlan:
    return RoutingPlan([Route(namespace="shop", name=name, subscriptions=subscriptions)])


def wish(table: str = "crm_contact", *personas: str, **fields: Any) -> Subscription:
    return Subscription(table=table, personas=personas or ("nora",), **fields)


def receivers(subscriptions: RoutingPlan, change: Change, table: str = "crm_contact") -> dict[str, tuple[str, ...]]:
    return {route.name: personas for route, personas in subscriptions.receivers(table, change)}


def test_those_of_the_table_get_it_and_nobody_else() -> None:
    assert receivers(plan(wish(), wish("crm_deal", "oslo")), INSERT) == {"clerk": ("nora",)}
    assert receivers(plan(wish("crm_deal")), INSERT) == {}


def test_a_persona_with_two_wishes_that_fit_gets_it_once() -> None:
    twice = plan(wish(), wish("crm_contact", "nora", "oslo", where=("contact_country:=:DE",)))
    assert receivers(twice, INSERT) == {"clerk": ("nora", "oslo")}


def test_actions_and_filters_are_held() -> None:
    assert receivers(plan(wish(actions=("DELETE",))), INSERT) == {}
    assert receivers(plan(wish(where=("contact_country:=:FR",))), INSERT) == {}
    assert receivers(plan(wish(where=("contact_country:=:DE", "contact_email:IS_NOT_NULL"))), INSERT) != {}


def test_a_delete_is_filtered_by_the_row_that_is_gone() -> None:
    gone = Change(action="DELETE", old={"contact_country": "DE"})
    assert receivers(plan(wish(where=("contact_country:=:DE",))), gone) == {"clerk": ("nora",)}


def test_columns_narrow_updates_only() -> None:
    watching = plan(wish(columns=("contact_email",)))
    old = {"contact_email": "a@b", "contact_notes": ""}
    assert receivers(watching, Change(action="UPDATE", old=old, new={**old, "contact_notes": "x"})) == {}
    assert receivers(watching, Change(action="UPDATE", old=old, new={**old, "contact_email": "c@d"})) != {}
    assert receivers(watching, INSERT) != {}


def test_a_wish_for_any_table_gets_every_table() -> None:
    assert receivers(plan(wish(ANY_TABLE)), INSERT, "whatever") == {"clerk": ("nora",)}


def test_a_filter_that_cannot_be_read_lets_nothing_through() -> None:
    broken = plan(wish(where=("contact_country:~:DE",)))
    assert receivers(broken, INSERT) == {}
    assert "shop/clerk" in broken.unreadable[0]


def test_equal_wishes_are_put_together() -> None:
    germans = ErpSubscription(table="crm_contact", where=("contact_country:=:DE",))
    all_deals = ErpSubscription(table="crm_deal")
    found = together({"nora": (germans, all_deals, germans), "oslo": (germans,), "rest": ()})
    assert [(wish.table, wish.personas) for wish in found] == [
        ("crm_contact", ("nora", "oslo")),
        ("crm_deal", ("nora",)),
    ]


def test_decimals_that_came_as_texts_are_numbers() -> None:
    large = plan(wish("crm_deal", where=("deal_value:>:100",)))
    exact = plan(wish("crm_deal", where=("deal_value:=:5.1",)))
    small = Change(action="INSERT", new={"deal_value": "5.10"})
    assert receivers(large, small, "crm_deal") == {}
    assert receivers(exact, small, "crm_deal") == {"clerk": ("nora",)}
    assert receivers(exact, Change(action="INSERT", new={"deal_value": "much"}), "crm_deal") == {}
