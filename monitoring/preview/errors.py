"""The error of a widget that cannot be drawn."""


class UndrawableError(Exception):
    """A widget cannot be drawn here; the message is shown in its place."""
