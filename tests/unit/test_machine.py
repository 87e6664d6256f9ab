import os
from pathlib import Path

import pytest

from fraud.machine import cores, memory_bytes, memory_used_bytes

AVAILABLE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
INSTALLED = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def write(cgroup: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (cgroup / name).parent.mkdir(parents=True, exist_ok=True)
        (cgroup / name).write_text(text)
    return cgroup


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        pytest.param({}, AVAILABLE, id="no control group"),
        pytest.param({"cpu.max": "max 100000\n"}, AVAILABLE, id="v2, no quota"),
        pytest.param({"cpu.max": "100000 100000\n"}, 1, id="v2, one core"),
        pytest.param({"cpu.max": "150000 100000\n"}, 2, id="v2, a part of a core counts as one"),
        pytest.param({"cpu.max": "5000 100000\n"}, 1, id="v2, less than a core"),
        pytest.param({"cpu.max": "99900000 100000\n"}, AVAILABLE, id="v2, more than there are"),
        pytest.param({"cpu.max": ""}, AVAILABLE, id="v2, empty"),
        pytest.param({"cpu.max": "100000 0"}, AVAILABLE, id="v2, no period"),
        pytest.param({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, AVAILABLE, id="v1, none"),
        pytest.param({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1, id="v1, one core"),
        pytest.param({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2, id="v1, a part"),
        pytest.param({"cpu/cpu.cfs_quota_us": "100000\n"}, AVAILABLE, id="v1, no period"),
    ],
)
def test_cores(tmp_path: Path, files: dict[str, str], limit: int) -> None:
    """As many threads run as there are cores, and no more than the control group's quota pays for."""
    assert cores(write(tmp_path, files)) == min(AVAILABLE, limit)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        pytest.param({}, INSTALLED, id="no control group"),
        pytest.param({"memory.max": "max\n"}, INSTALLED, id="v2, no limit"),
        pytest.param({"memory.max": "1048576\n"}, 1048576, id="v2"),
        pytest.param({"memory.max": "9223372036854771712\n"}, INSTALLED, id="v2, more than there is"),
        pytest.param({"memory/memory.limit_in_bytes": "2097152\n"}, 2097152, id="v1"),
        pytest.param({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, INSTALLED, id="v1, no limit"),
        pytest.param(
            {"memory.max": "max\n", "memory/memory.limit_in_bytes": "2097152\n"}, INSTALLED, id="v2 comes before v1"
        ),
    ],
)
def test_memory(tmp_path: Path, files: dict[str, str], limit: int) -> None:
    """There is as much memory as the machine has, and no more than the control group allows."""
    assert memory_bytes(write(tmp_path, files)) == limit


def test_unreadable(tmp_path: Path) -> None:
    """A file that cannot be read is a limit that nobody set."""
    (tmp_path / "cpu.max").mkdir()
    (tmp_path / "memory.max").mkdir()

    assert (cores(tmp_path), memory_bytes(tmp_path)) == (AVAILABLE, INSTALLED)


def test_here() -> None:
    """On whatever machine this runs, there is a core, and more memory than this process holds."""
    assert 1 <= cores() <= AVAILABLE
    assert 0 <= memory_used_bytes() < memory_bytes() <= INSTALLED


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="only Linux tells")
def test_memory_used() -> None:
    """The memory that a process holds grows with what it fills, byte for byte."""
    before = memory_used_bytes()
    filled = bytearray(os.urandom(1024)) * (64 * 1024)

    assert memory_used_bytes() - before == pytest.approx(len(filled), rel=0.1)
