"""What metering measures of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class BudgetMetrics:
    """Counters and gauges of one meter."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.coins = Counter("botyard_spent_coins_total", "Coins charged.", ["persona", "model"], registry=registry)
        self.tokens = Counter(
            "botyard_model_tokens_total", "Tokens of settled calls.", ["model", "direction"], registry=registry
        )
        self.refused = Counter(
            "botyard_budget_refusals_total", "Calls refused before they were made.", ["reason"], registry=registry
        )
        self.waited = Histogram(
            "botyard_budget_wait_seconds",
            "Wait for open holds to settle, of calls that had to.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.holds = Gauge("botyard_budget_holds", "Holds of this replica that are open.", registry=registry)
        self.held = Gauge("botyard_budget_held_coins", "Coins that they set aside.", registry=registry)
        self.unsettled = Gauge(
            "botyard_budget_unsettled", "Settlements that wait for the ledger to answer again.", registry=registry
        )
        self.lapsed = Counter(
            "botyard_budget_lapsed_total", "Holds of lost workers, charged at their worst case.", registry=registry
        )
        self.absurd = Counter(
            "botyard_budget_usage_problems_total",
            "Calls whose reported usage was missing or impossible.",
            registry=registry,
        )
        self.restored = Counter(
            "botyard_budget_restored_coins_total",
            "Spending that Redis had lost with an older state and this replica put back.",
            registry=registry,
        )
        self.warnings = Counter(
            "botyard_budget_warnings_total", "Accounts that reached 80 % of their limit.", registry=registry
        )
