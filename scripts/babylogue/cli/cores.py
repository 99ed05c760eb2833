"""The cores that a command may use."""

import os


def available_cores() -> int:
    """How many cores this process may run on: a container or a cluster may give fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1
