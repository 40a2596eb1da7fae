"""What writes in this room: allowances, the ledger, and summaries."""

from .allowance import cap, grant, switch, switch_provider
from .ledger import BudgetSpent, Charge, expire_due, reserve, settle, would_fit
from .summaries import answer, ask_summary, write_summary

__all__ = [
    "BudgetSpent",
    "Charge",
    "answer",
    "ask_summary",
    "cap",
    "expire_due",
    "grant",
    "reserve",
    "settle",
    "switch",
    "switch_provider",
    "would_fit",
    "write_summary",
]
