"""The report: one self-contained HTML page from a study, finished or running."""

from equipoise.reports.page import audit_page, report
from equipoise.reports.sieve import sieve_page

__all__ = ["audit_page", "report", "sieve_page"]
