"""Every error a user of Facewire can meet, as one small tree.

A message names the bad value, the valid ones and what to try next, on one line: the command line prints it as it is
and exits with code 2. This module knows nothing else.
"""


class FacewireError(Exception):
    """The root: whatever Facewire raises on purpose derives from it."""


class SourceError(FacewireError, OSError):
    """Video cannot be opened or read: missing file, busy camera, unknown scheme, no frames."""


class AssetError(FacewireError):
    """A shipped or user-given model file is missing, of the wrong version, or not the one its hash promises."""


class BackendUnavailable(FacewireError):
    """An explicitly asked-for backend or optional package is not there; says why and how to get it."""


class WireError(FacewireError, ValueError):
    """Bytes that are no Facewire message, a truncated one, or one of a newer major version."""


class SettingsError(FacewireError, ValueError):
    """A flag, setting or argument outside what is valid."""


class PublishError(FacewireError, OSError):
    """A socket cannot be bound or used: port in use, malformed endpoint."""


class ProfileError(FacewireError, ValueError):
    """A calibration profile is missing, damaged, of another version, or made with another face model."""


class OutputError(FacewireError, OSError):
    """A file cannot be written: disk full, folder missing or read-only. What stood there before still does."""
