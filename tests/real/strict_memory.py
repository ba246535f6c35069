"""Runs `porwatch` in a process that can never make memory writable and executable: MemoryDenyWriteExecute=yes.

systemd refuses such memory by a filter of system calls; here the kernel does (Linux 6.3, prctl PR_SET_MDWE).
"""

from __future__ import annotations

import ctypes
import mmap
import runpy
import sys
from pathlib import Path

PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
#: of this program, where the kernel is older
UNKNOWN = 77


def deny() -> bool:
    """Whether the kernel does it from now on, for this process and those that it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)) == 0


def refuses() -> bool:
    """Whether memory that is writable and executable is refused, tried."""
    try:
        mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except PermissionError:
        return True
    return False


if __name__ == "__main__":
    if not deny() or not refuses():
        sys.exit(UNKNOWN)
    if sys.argv[1:] != ["--try"]:
        sys.argv[0] = "porwatch"
        # As `python -m` does: what is tested is the checkout.
        sys.path[0] = str(Path.cwd())
        runpy.run_module("monitor", run_name="__main__")
