"""Calls of budgets, grants and credits."""

from botyard.gateway import budgets
from botyard.gateway.models.budgets import BudgetAnswer, BudgetReport, CreditRequest, GrantAnswer, GrantRequest
from botyard.gateway.operations.operation import BASE, BOT_PROBLEMS, PERSONA, Operation, Parameter

_DAYS = Parameter("days", "query", "Also the history of this many days, 1 to 400.", "integer")
_BUDGET_PROBLEMS = (*BOT_PROBLEMS, "rate-limited", "bot-not-ready", "budget-unusable", "storage-unavailable")
_BODY_PROBLEMS = ("malformed-json", "timeout", "too-large", "unsupported-media-type", "invalid-body")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        BASE + "/budget",
        budgets.get_budget,
        "Tell what a Bot and its Personas spend",
        200,
        answer=BudgetReport,
        problems=_BUDGET_PROBLEMS,
        parameters=(_DAYS,),
    ),
    Operation(
        "GET",
        PERSONA + "/budget",
        budgets.get_persona_budget,
        "Tell what a Persona may spend and has spent",
        200,
        answer=BudgetAnswer,
        problems=(*_BUDGET_PROBLEMS, "unknown-persona"),
        parameters=(
            _DAYS,
            Parameter("task", "query", "Also this task's account."),
            Parameter("thread", "query", "Also the account of this thread, by its conversation."),
        ),
    ),
    Operation(
        "POST",
        PERSONA + "/budget/grants",
        budgets.post_grant,
        "Grant a Persona a further amount",
        201,
        answer=GrantAnswer,
        body=GrantRequest,
        problems=(
            *_BUDGET_PROBLEMS,
            "unknown-persona",
            *_BODY_PROBLEMS,
        ),
    ),
    Operation(
        "POST",
        BASE + "/credits",
        budgets.post_credit,
        "Give a user tokens that were paid for (docs/workflow-economics.md)",
        201,
        answer=GrantAnswer,
        body=CreditRequest,
        problems=(
            *_BUDGET_PROBLEMS,
            *_BODY_PROBLEMS,
        ),
    ),
)
