"""Why a widget cannot be drawn."""


class UndrawableError(Exception):
    """Why a widget cannot be drawn here; the widget shows it in its place."""
