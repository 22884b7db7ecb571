"""The forwarder's Lambda entry point, as the example's package has it: the handler is the library's own."""

from monitoring.forwarder import handler  # noqa: F401
