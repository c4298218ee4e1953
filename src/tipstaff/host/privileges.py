"""A child may not become more than it is."""

import ctypes

_PR_SET_NO_NEW_PRIVS = 38


def no_new_privileges() -> None:
    """In the child, before exec: no program that it starts gains a right by its file (prctl(2)). For `preexec_fn`."""
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
