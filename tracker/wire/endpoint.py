"""ZeroMQ addresses as Facewire takes them: `tcp://host:port` and `ipc://path`.

Given an address it says in one line what is wrong with it, which ZeroMQ itself only says as a number. It opens nothing.
"""

from __future__ import annotations

from tracker.errors import SettingsError

EXAMPLES = "write such as tcp://127.0.0.1:5570, tcp://0.0.0.0:5570 (bind: every interface) or ipc:///tmp/facewire.sock"
# A Unix socket's name has 108 bytes with its NUL on Linux, 104 on macOS.
LONGEST_IPC_PATH = 103


def check_endpoint(url: str, bind: bool) -> None:
    """Raise SettingsError unless `url` is one to bind (port 0 or `*` picks a free one) or to connect to."""
    transport, separator, rest = url.partition("://")
    if not separator:
        raise SettingsError(f"address {url!r} has no transport; {EXAMPLES}")
    if transport == "ipc":
        _check_path(url, rest)
    elif transport == "tcp":
        _check_host_and_port(url, rest, bind)
    else:
        raise SettingsError(f"address {url!r} has the unknown transport {transport!r}; valid: tcp, ipc; {EXAMPLES}")


def _check_path(url: str, path: str) -> None:
    if not path or len(path.encode()) > LONGEST_IPC_PATH:
        raise SettingsError(f"address {url!r} needs a path of 1 to {LONGEST_IPC_PATH} bytes; {EXAMPLES}")


def _check_host_and_port(url: str, rest: str, bind: bool) -> None:
    host, _, port = rest.rpartition(":")
    if not host or any(letter.isspace() for letter in rest):
        raise SettingsError(f"address {url!r} needs a host and a port; {EXAMPLES}")
    if bind and port == "*":
        return
    if not (port.isascii() and port.isdigit()) or not (0 if bind else 1) <= int(port) <= 65535:
        wanted = "0 to 65535 (0 picks a free one)" if bind else "1 to 65535"
        raise SettingsError(f"address {url!r} has port {port!r}; give {wanted}")
    if not bind and host in ("*", "0.0.0.0", "[::]"):
        raise SettingsError(f"address {url!r} names no machine to connect to; give its name or IP, here: 127.0.0.1")
