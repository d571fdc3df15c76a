"""Quotas of users, and the refusal of a turn (see `botyard.workflow.economics`)."""

from botyard.workflow.economics import EconomicsLimitException, ProviderBudgetPolicy, QuotaPolicy

__all__ = ["EconomicsLimitException", "ProviderBudgetPolicy", "QuotaPolicy"]
