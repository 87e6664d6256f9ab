"""What this machine lets a job use: cores and memory, as the control group of a container limits them (S57)."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# A shell says that a program ended by signal n has exit code 128 + n.
SIGNAL_EXIT_CODE = 128


def cores(cgroup: Path = CGROUP) -> int:
    """Return how many threads run at once: the affinity, and the quota of the control group where it is less."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if not period:  # version 1
        quota = _read(cgroup / "cpu" / "cpu.cfs_quota_us")
        period = _read(cgroup / "cpu" / "cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period):
        available = min(available, max(1, -(-int(quota) // int(period))))
    return available


def memory_bytes(cgroup: Path = CGROUP) -> int:
    """Return how much memory there is: the machine's, and the limit of the control group where it is less."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read(cgroup / "memory.max") or _read(cgroup / "memory" / "memory.limit_in_bytes")
    return min(installed, int(limit)) if limit.isdigit() else installed


def memory_used_bytes() -> int:
    """Return how much memory this process holds."""
    pages = _read(Path("/proc/self/statm")).split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if len(pages) > 1 else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
