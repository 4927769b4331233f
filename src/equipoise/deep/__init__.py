"""What is wrong with a data set that shows in what its pictures look like: `audit_deep`."""

from equipoise.deep.inspecting import DeepAudit, audit_deep
from equipoise.deep.suspects import write_suspects
from equipoise.deep.twins import write_groups

__all__ = ["DeepAudit", "audit_deep", "write_groups", "write_suspects"]
