"""The report: one self-contained HTML page from a study, finished or running."""

from equipoise.reports.following import Step, next_step
from equipoise.reports.page import audit_page, report
from equipoise.reports.renewing import renewing
from equipoise.reports.sieve import sieve_page

__all__ = ["Step", "audit_page", "next_step", "renewing", "report", "sieve_page"]
