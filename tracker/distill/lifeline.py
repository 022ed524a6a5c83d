"""A worker process that ends when whoever started it does.

A killed parent cannot stop its workers; they would wait for ever, holding all their memory. It knows nothing of what
they work on.
"""

from __future__ import annotations

import multiprocessing
import os
import threading


def hold() -> None:
    """Call in a worker: from now on it ends together with its parent."""
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
