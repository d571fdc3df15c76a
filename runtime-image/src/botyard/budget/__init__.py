"""Hard budgets: a ledger in Redis that model calls reserve in before they are made, and settle in afterwards."""
