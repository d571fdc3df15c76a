"""BaseEntrypointWithEconomics: a workflow whose turns are admitted by quotas and charged for what they use."""

import logging
from collections.abc import Mapping
from typing import Any

from botyard.workflow.accounting import recorder
from botyard.workflow.economics import policy, treasury
from botyard.workflow.economics.errors import EconomicsLimitException
from botyard.workflow.economics.policy import Limit, QuotaPolicy
from botyard.workflow.economics.treasury import Asked, Treasury, Unlimited, Verdict
from botyard.workflow.entrypoint import BaseEntrypoint

log = logging.getLogger("botyard.workflow")

AGENT = "bundle.rate_limiter"
_MESSAGES = {
    "rate_limited": "You have reached the limit of what you may use: {reason}.",
    "quota_lock_timeout": "What you may use cannot be looked up at the moment. Try again.",
    "tier_exhausted_no_personal": "The tokens of your tier are used up: {reason}.",
    "paid_lane_requires_personal_budget": "You have no tokens left that you paid for.",
    "paid_admit_denied_after_switch": "You have reached the limit of what you may use at once: {reason}.",
    "personal_reservation_failed_paid": "The tokens that you paid for are used up.",
    "app_budget_reservation_failed_no_personal": "The budget of a service that this bot needs is used up: {reason}.",
    "project_budget_exhausted": "The budget of this bot is used up for today.",
}


class BaseEntrypointWithEconomics(BaseEntrypoint):
    """A bundle's workflow with quotas.

    They are declared by type of user:

        app_quota_policies = {"registered": QuotaPolicy(max_concurrent=2, requests_per_day=100, tokens_per_day=500_000)}

    Hooks get `econ_ctx`: {lane, admit, policies, reservations}. A turn that is not admitted ends with
    `EconomicsLimitException`; its user is told by `rate_limit.denied`.
    """

    @property
    def app_quota_policies(self) -> Mapping[str, Any]:
        """Quotas by type of user; `default` for types that have none. Those of the Bot's config come first."""
        found = (self.bundle_props or {}).get("quota_policies")
        return found if isinstance(found, Mapping) else {}

    @property
    def app_budget_policies(self) -> Mapping[str, Any]:
        """What calls of single providers may cost all users together, by provider (`ProviderBudgetPolicy`)."""
        return {}

    async def pre_run_hook(self, *, state: dict[str, Any], econ_ctx: dict[str, Any] | None = None) -> None:
        """Called before `execute_core`, after the turn was admitted; an exception ends the turn."""

    async def post_run_hook(
        self, *, state: dict[str, Any], result: dict[str, Any], econ_ctx: dict[str, Any] | None = None
    ) -> None:
        """Called after `execute_core` and `run_accounting`; may change the result."""

    def _direct_treasury(self) -> Treasury:
        """Who counts where no platform runs the turn."""
        return Unlimited()

    def _turn_key(self) -> str:
        """Return what tells this turn from others."""
        known = self._current.state or {}
        parts = [str(known.get(name) or "") for name in ("conversation_id", "turn_id")]
        return "/".join(parts) if parts[1] else ""

    async def _run(self, params: dict[str, Any]) -> dict[str, Any]:
        counting = treasury.platform.get() or self._direct_treasury()
        self._state_with(params)
        await self.refresh_bundle_props()
        try:
            self._current.econ_ctx = await self._admitted(counting)
            with recorder.charging(counting.charger()):
                return await super()._run(params)
        finally:
            # However it ends: what was used was used.
            await recorder.drain()
            await counting.finish()

    def _hook_arguments(self, hook: Any, **given: Any) -> dict[str, Any]:
        return super()._hook_arguments(hook, econ_ctx=self._current.econ_ctx or {}, **given)

    async def _admitted(self, counting: Treasury) -> dict[str, Any]:
        """Return the turn's `econ_ctx`.

        Raises:
            EconomicsLimitException: It is not admitted.
        """
        known = self._current.state or {}
        user_type, user = str(known.get("user_type") or "anonymous"), str(known.get("user") or "")
        policies = self.app_quota_policies
        mine = policy.policy_for(policies, user_type)
        lane = "tier"
        budgets = policy.budgets_of(self.app_budget_policies)
        verdict = await self._ask(counting, Asked(user, mine.limits(), lane, budgets))
        if verdict.budget_left is not None and verdict.budget_left <= 0:
            raise await self._denial("project_budget_exhausted", verdict, lane, kind="rate_limit.project_exhausted")
        if verdict.spent_budgets:
            code = "app_budget_reservation_failed_no_personal"
            raise await self._denial(code, verdict, lane, kind="rate_limit.project_exhausted")
        if not verdict.admitted:
            paid = Asked(user, _of_paid(policies), "paid", budgets)
            lane, verdict = await self._other_lane(counting, paid, user_type, verdict)
        if low := policy.running_low(verdict.rows):
            warning = {**self._data(verdict, lane), "running_low": low}
            await self._tell("rate_limit.warning", "running", warning)
        return {
            "lane": lane,
            "admit": {"allowed": True, "snapshot": policy.snapshot(verdict.rows)},
            "policies": {"quota": mine, "budget": self.app_budget_policies},
            "reservations": {"personal_tokens": verdict.credit if lane == "paid" else 0},
        }

    async def _other_lane(
        self, counting: Treasury, paid: Asked, user_type: str, denied: Verdict
    ) -> tuple[str, Verdict]:
        """Return the lane of the tokens that the user paid for, where there are any and they help."""
        broken = policy.violations(denied.rows)
        if broken in ([], [policy.CONCURRENCY]):
            raise await self._denial("rate_limited", denied, "tier")
        if denied.credit <= 0:
            if user_type == "paid":
                raise await self._denial("paid_lane_requires_personal_budget", denied, "paid")
            tokens = all("tokens" in name for name in broken)
            raise await self._denial("tier_exhausted_no_personal" if tokens else "rate_limited", denied, "tier")
        await self._tell(
            "rate_limit.lane_switch", "running", {**self._data(denied, "paid"), "from": "tier", "to": "paid"}
        )
        verdict = await self._ask(counting, paid)
        if not verdict.admitted:
            empty = verdict.credit <= 0
            code = "personal_reservation_failed_paid" if empty else "paid_admit_denied_after_switch"
            raise await self._denial(code, verdict, "paid")
        return "paid", verdict

    async def _ask(self, counting: Treasury, asked: Asked) -> Verdict:
        try:
            return await counting.admit(asked)
        except TimeoutError:
            raise await self._denial("quota_lock_timeout", None, asked.lane) from None

    async def _denial(
        self, code: str, verdict: Verdict | None, lane: str, *, kind: str = "rate_limit.denied"
    ) -> EconomicsLimitException:
        """Tell the user of a denial, and return it."""
        data = {**self._data(verdict, lane), "code": code}
        broken = "|".join(data.get("rate_limit", {}).get("violations") or ())
        data["reason"] = broken or "|".join(verdict.spent_budgets if verdict is not None else ()) or code
        message = _MESSAGES[code].format(reason=data["reason"])
        await self._tell(kind, "error", {**data, "message": message})
        return EconomicsLimitException(message, code=code, data=data)

    def _data(self, verdict: Verdict | None, lane: str) -> dict[str, Any]:
        known = self._current.state or {}
        data: dict[str, Any] = {
            "bundle_id": self.bundle_id,
            "subject_id": known.get("user"),
            "user_type": known.get("user_type"),
            "lane": lane,
            "show_in_timeline": False,
        }
        if verdict is not None:
            data["snapshot"] = policy.snapshot(verdict.rows)
            data["rate_limit"] = policy.described(verdict.rows)
        return data

    async def _tell(self, kind: str, status: str, data: dict[str, Any]) -> None:
        await self.comm.service_event(
            type=kind, step="rate_limit", status=status, title="Rate limit", agent=AGENT, data=data
        )


def _of_paid(policies: Mapping[str, Any]) -> tuple[Limit, ...]:
    """Return the limits of those who pay with their own tokens: all of the type `paid` but those of tokens."""
    limits: QuotaPolicy = policy.policy_for({"paid": policies["paid"]} if "paid" in policies else None, "paid")
    return tuple(limit for limit in limits.limits() if limit.what != "tokens")
