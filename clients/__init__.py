"""Clients of the feed. `subscribe` is all that most need; it loads pyzmq, numpy and the wire, nothing heavier."""

from tracker.clients.clock_offset import Offset
from tracker.clients.clock_watch import ClockWatch
from tracker.clients.subscribe import AsyncSubscription, Subscription, hello, subscribe, subscribe_async

__all__ = ["AsyncSubscription", "ClockWatch", "Offset", "Subscription", "hello", "subscribe", "subscribe_async"]
