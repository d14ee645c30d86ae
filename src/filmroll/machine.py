"""What the machine, or the container, has."""

import os
from pathlib import Path

_CONTAINERS = (
    Path("/sys/fs/cgroup/memory.max"),  # cgroups, version 2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # version 1
)


def machine_memory() -> int:
    """Return how much memory this process may hope for, in bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *map(_limit, _CONTAINERS)], key=lambda size: size or physical)


def _limit(file: Path) -> int:
    """Return a container's limit in bytes; 0 if there is none."""
    try:
        text = file.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0
