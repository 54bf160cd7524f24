"""Sockets reach this machine only. Python imports this at its start where the folder is on PYTHONPATH.

The tests put it there, so that every process they start, kernels and workers too, fails at once when it tries to
reach anything else: nothing may be downloaded or sent at run time.
"""

from __future__ import annotations

import ipaddress
import socket

LOCAL_NAMES = {"localhost", "", None, b"localhost", "0.0.0.0", "::"}


class NetworkBlockedError(OSError):
    """Something tried to leave the machine."""


def is_local(host: object) -> bool:
    """Return whether a host is this machine, by name or address."""
    if host in LOCAL_NAMES or host == socket.gethostname():
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _refuse(what: object) -> None:
    raise NetworkBlockedError(f"a test tried to reach {what!r}; only this machine may be reached")


def block() -> None:
    """Let sockets of this process connect to this machine only, and names of others not be looked up."""
    if getattr(socket, "_only_local", False):
        return
    connect, connect_ex, lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def checked(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            _refuse(address)
        return connect(self, address)

    def checked_ex(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            _refuse(address)
        return connect_ex(self, address)

    def checked_lookup(host, *arguments, **named):
        if not is_local(host) and not (isinstance(host, str) and host == socket.getfqdn()):
            _refuse(host)
        return lookup(host, *arguments, **named)

    socket.socket.connect = checked
    socket.socket.connect_ex = checked_ex
    socket.getaddrinfo = checked_lookup
    socket._only_local = True


block()
