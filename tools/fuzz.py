"""Fuzzes the readers of hostile text: approval lines, the configuration, the web configuration.

Use: python -m tools.fuzz TARGET [SECONDS] [CORPUS_FOLDER], with atheris installed, which is in no lock of ours: the
ordinary tests call the same targets with hypothesis.
"""

from __future__ import annotations

import sys

NAMES = ("approval", "configuration", "web")


def main(arguments: list[str]) -> int:
    """Fuzz one target until the time is over or a find ends it."""
    if not arguments or arguments[0] not in NAMES:
        print(f"write one of {', '.join(NAMES)}")
        return 2
    import atheris  # noqa: PLC0415  only who fuzzes has it

    # What is to be covered is instrumented as it is imported.
    with atheris.instrument_imports(include=["monitor", "chains", "tools"]):
        from tools.fuzz_targets import TARGETS  # noqa: PLC0415

    seconds = arguments[1] if len(arguments) > 1 else "60"
    options = [sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096", *arguments[2:3]]
    atheris.Setup(options, TARGETS[arguments[0]])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
