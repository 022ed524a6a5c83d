"""A bench's other processes: what the terminal says to all of them is the first one's to hear."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from operator import methodcaller

from tracker.bench.child import Child


def test_an_interrupt_while_it_starts_does_not_end_it() -> None:
    with closing(Child("greeter", methodcaller("send", "hello"))) as child:
        os.kill(child._process.pid, signal.SIGINT)
        assert child.hear() == "hello"
