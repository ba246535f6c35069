"""Other parties' published proof-of-reserves files: read, reconciled with themselves, signatures verified.

Nothing here is taken as true: a file is a set of claims, and the findings are where its claims contradict each other.
"""

from monitor.publish.imports.command import FORMATS, audit, import_files

__all__ = ["FORMATS", "audit", "import_files"]
