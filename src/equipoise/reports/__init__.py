"""The report: one self-contained HTML page from a study, finished or running."""

from equipoise.reports.page import audit_page, report
from equipoise.reports.words import Answer, answer

__all__ = ["Answer", "answer", "audit_page", "report"]
