"""How long a shadow may last, against the clock of the one who checks the file."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.config.mistakes import Mistake
from monitor.config.resolved import Config
from monitor.config.yaml_tree import LARGEST_BYTES, read_yaml

#: a shadow is for getting to know porwatch; silence for longer than this solves nothing
LONGEST = timedelta(days=90)


def check_shadow(config: Config, file: str, now: datetime) -> list[Mistake]:
    """The mistake of a ``shadow_until`` that is further away than any shadow lasts. ``file``: as it was named."""
    end = config.shadow_end
    if end is None or end - now <= LONGEST:
        return []
    with config.file.open("rb") as stream:
        tree, _ = read_yaml(file, stream.read(LARGEST_BYTES + 1))
    line = 1 if tree is None else tree.line(("shadow_until",))
    latest = (now + LONGEST).astimezone(config.zone).date()
    message = f"{config.shadow_until} is more than {LONGEST.days} days ahead: write {latest} or earlier"
    return [Mistake(file, line, "shadow_until", message)]
