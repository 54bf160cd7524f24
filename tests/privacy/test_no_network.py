"""Nothing leaves the machine, in this process and in those that tests start."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

TRY = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)"  # an address for documentation


def test_another_machine_cannot_be_reached_from_a_test():
    with pytest.raises(OSError, match="only this machine"), socket.socket() as found:
        found.connect(("192.0.2.1", 80))
    with pytest.raises(OSError, match="only this machine"):
        socket.getaddrinfo("example.org", 80)


def test_a_process_that_a_test_starts_is_blocked_too():
    done = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True)
    assert done.returncode != 0
    assert "only this machine may be reached" in done.stderr


def test_this_machine_can_be_reached():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname(), timeout=2) as found:
            assert found.getpeername() == server.getsockname()


def test_no_module_of_the_package_holds_a_client_of_the_network():
    import spinekit

    found = [
        f"{path.name}: {line.strip()}"
        for path in __import__("pathlib").Path(spinekit.__file__).parent.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith(("import ", "from "))
        and line.split()[1].split(".")[0] in {"requests", "urllib3", "httpx", "aiohttp", "ftplib", "smtplib"}
    ]
    assert found == []
