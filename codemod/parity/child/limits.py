"""What a child process may use."""

from __future__ import annotations


def apply(memory: int | None) -> None:
    """Limits the process to `memory` bytes of its own data; None for no limit. Where the system has no limits, nothing."""
    if memory is None:
        return
    try:
        import resource
    except ImportError:
        return
    for kind in (resource.RLIMIT_DATA,):
        _, hard = resource.getrlimit(kind)
        wanted = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(kind, (wanted, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def used() -> int:
    """The bytes of memory that the process has in use; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        import resource

        return pages * resource.getpagesize()
    except (OSError, ValueError, IndexError, ImportError):
        return 0
