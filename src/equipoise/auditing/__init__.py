"""What a data set holds, and what is wrong with it: `audit`."""

from equipoise.auditing.auditing import Audit, ClassCount, Same, audit
from equipoise.auditing.near import Near

__all__ = ["Audit", "ClassCount", "Near", "Same", "audit"]
