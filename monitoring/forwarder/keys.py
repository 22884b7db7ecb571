"""Read the API key at first use, and again when Datadog rejects it."""

import base64
import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from monitoring.errors import InputError
from monitoring.forwarder.settings import ForwarderSettings

_MAX_AGE = 300  # seconds that Powertools keeps a parameter; a 403 reads it anew at once


class ApiKey:
    """Read and cache the API key; errors name the setting that it comes from, never the key.

    Args:
        client: returns the boto3 client of a service, for KMS.
    """

    def __init__(self, settings: ForwarderSettings, client: Callable[[str], Any]) -> None:
        self._settings = settings
        self._client = client
        self._value: str | None = None
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Return the key; without one "local" if `DD_URL` is on loopback, and "" for another `DD_URL`.

        Raises:
            InputError: no key is set, or it cannot be read.
        """
        with self._lock:
            if self._value is None:
                self._value = self._read(force=False)
            return self._value

    def refresh(self, refused: str) -> bool:
        """Read the key again, unless another thread has; return whether it differs from the rejected one."""
        with self._lock:
            if self._value != refused:
                return True
            try:
                self._value = self._read(force=True)
            except InputError:
                return False
            return self._value != refused

    def _read(self, force: bool) -> str:
        source, read = self._source()
        try:
            key = _plain(read(force)).strip()
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001 - boto3's errors have no narrower base class
            raise InputError(
                f"the API key cannot be read: {type(error).__name__}",
                where=source,
                hint="Check its permissions",
            ) from None  # the cause might quote what it read
        if not key.isascii() or not key.isprintable():
            raise InputError("the value is not an API key", where=source, hint="Store only the key")
        return key

    def _source(self) -> tuple[str, Callable[[bool], str]]:
        settings = self._settings
        if settings.api_key_secret:
            return "DD_API_KEY_SECRET_ARN", self._secret
        if settings.api_key_parameter:
            return "DD_API_KEY_SSM_NAME", self._parameter
        if settings.api_key_kms:
            return "DD_KMS_API_KEY", self._kms
        if settings.api_key or settings.url:
            embedded = urlsplit(settings.url).hostname in {"127.0.0.1", "localhost", "::1"}
            return "DD_API_KEY", lambda _: settings.api_key or ("local" if embedded else "")
        raise InputError(
            "there is no API key",
            where="DD_API_KEY",
            hint="Set DD_API_KEY_SECRET_ARN, DD_API_KEY_SSM_NAME, DD_KMS_API_KEY or DD_API_KEY",
        )

    def _secret(self, force: bool) -> str:
        from aws_lambda_powertools.utilities import parameters

        name = self._settings.api_key_secret
        return str(parameters.get_secret(name, max_age=_MAX_AGE, force_fetch=force))

    def _parameter(self, force: bool) -> str:
        from aws_lambda_powertools.utilities import parameters

        name = self._settings.api_key_parameter
        return str(parameters.get_parameter(name, decrypt=True, max_age=_MAX_AGE, force_fetch=force))

    def _kms(self, force: bool) -> str:
        blob = base64.b64decode(self._settings.api_key_kms, validate=True)
        return bytes(self._client("kms").decrypt(CiphertextBlob=blob)["Plaintext"]).decode()


def _plain(text: str) -> str:
    """Return the key of a text, which may be `{"api_key": "…"}`, as the console's form stores it."""
    if not text.lstrip().startswith("{"):
        return text
    values = [value for value in json.loads(text).values() if isinstance(value, str)]
    if len(values) != 1:
        raise ValueError("more than one value")
    return values[0]
