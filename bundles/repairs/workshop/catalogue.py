"""Services and prices. Pure: no machine, no messages."""

from dataclasses import dataclass

DEPOSIT_FROM_CENTS = 10_000
"""Quotes from here on need a deposit."""
DEPOSIT_SHARE = 0.2
E_BIKE_FACTOR = 1.25


@dataclass(frozen=True, slots=True)
class Service:
    """One thing that the workshop does."""

    title: str
    cents: int


SERVICES: dict[str, Service] = {
    "tyre": Service("Flat tyre", 2_500),
    "brakes": Service("Brakes", 4_500),
    "checkup": Service("Full check-up", 8_900),
    "wheel": Service("New wheel", 14_000),
}


def service_named(words: str) -> str | None:
    """Return the id of the service that the words name: its id, its title, or a word of its title."""
    said = words.casefold().split()
    for identity, service in SERVICES.items():
        names = {identity, *service.title.casefold().replace("-", " ").split()} - {"new", "full", "flat", "up"}
        if names.intersection(word.strip(".,!?") for word in said):
            return identity
    return None


def quote(service: str, bike: str) -> int:
    """Return the price in cents; e-bikes cost more."""
    factor = E_BIKE_FACTOR if is_e_bike(bike) else 1.0
    return round(SERVICES[service].cents * factor)


def is_e_bike(bike: str) -> bool:
    """Tell whether a description is that of an electric bicycle."""
    said = bike.casefold()
    return any(word in said for word in ("e-bike", "ebike", "electric", "pedelec"))


def deposit(cents: int) -> int:
    """Return what is to be paid ahead, in cents; 0 for small quotes."""
    return round(cents * DEPOSIT_SHARE) if cents >= DEPOSIT_FROM_CENTS else 0


def euros(cents: int) -> str:
    """Return an amount as its customers read it."""
    return f"€{cents / 100:.2f}"
