"""A process of a bench's own, and the pipe it answers through.

Given a function it runs that in a process that shares nothing with this one, with the far end of a pipe as its last
argument. An error that the function sends is raised here. It ends when it is done or told to: a Ctrl-C, which a
terminal sends to all of a bench's processes, is the first one's to hear. It does not know what is said.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from tracker.errors import FacewireError, PublishError

SPAWN = multiprocessing.get_context("spawn")
"""A fork would take our threads' locks with it. What a child shares with its parent is made of this, too."""
PATIENCE_SECONDS = 180.0


def _until_told(target: Callable[..., None], *arguments: Any) -> None:
    """The child: `target`, broken off without a word when it is told to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(KeyboardInterrupt, click.Abort):  # what `facewire run` makes of being told
        target(*arguments)


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started meanwhile hears no Ctrl-C from its first moment on, long before Python runs in it; one that comes
    to this process is heard afterwards. Not on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    ensure_running()  # a helper of `multiprocessing`'s: where it is started first, it ends this
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Child:
    """One process; whoever starts it closes it."""

    def __init__(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        self._name = name
        self._pipe, theirs = SPAWN.Pipe()
        given = (target, *arguments, theirs)
        self._process = SPAWN.Process(target=_until_told, args=given, name=f"facewire-bench-{name}")
        with _deaf():
            self._process.start()
        theirs.close()

    def spoke(self, seconds: float) -> bool:
        """Wait so long for something to hear, or the end."""
        return self._pipe.poll(seconds)

    def hear(self) -> Any:
        """The next thing it says. Raises PublishError where it has ended or says nothing, and what error it sends."""
        try:
            if not self._pipe.poll(PATIENCE_SECONDS):
                raise PublishError(
                    f"the bench's own {self._name} said nothing for {PATIENCE_SECONDS:g} s; run the bench again"
                )
            said = self._pipe.recv()
        except EOFError as error:
            raise PublishError(f"the bench's own {self._name} ended early; its error is printed above") from error
        if isinstance(said, FacewireError):
            raise said
        return said

    def close(self) -> None:
        """End it, gently first."""
        self._pipe.close()
        self._process.join(1.0)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
