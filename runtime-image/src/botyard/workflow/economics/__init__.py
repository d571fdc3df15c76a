"""What users may use: quotas by type of user, tokens that they paid for, and what a refusal says."""

from botyard.workflow.economics.errors import EconomicsLimitException
from botyard.workflow.economics.policy import ProviderBudgetPolicy, QuotaPolicy

__all__ = ["EconomicsLimitException", "ProviderBudgetPolicy", "QuotaPolicy"]
