"""Smoothing over time: interacting Kalman filters with the true time step, by group, one state per track."""

from tracker.smooth.settings import SmoothSettings
from tracker.smooth.smoother import Smoother
from tracker.smooth.track_filter import Filtered, TrackFilter

__all__ = ["Filtered", "SmoothSettings", "Smoother", "TrackFilter"]
