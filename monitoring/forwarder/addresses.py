"""Validate Datadog's site names, and remove passwords from URLs that are printed."""

import re

from monitoring.errors import InputError

_SITE = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d+)?")
_REGION = re.compile(r"[a-z]{2,3}\d+\.datadoghq\.com")
SITES = (
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "ddog-gov.com",
)
"""Datadog's sites. Source: https://docs.datadoghq.com/getting_started/site/. The forwarder accepts any other
host name, a command only one that looks like a new region."""


def read_site(text: str) -> str:
    """Return the name of a site, in lower case.

    Raises:
        ValueError: the text is not a host name.
    """
    site = text.strip().lower()
    if not _SITE.fullmatch(site):
        raise ValueError("write a site such as datadoghq.com or datadoghq.eu")
    return site


def check_site(site: str) -> None:
    """Check that a name is a site of Datadog, or looks like a new region such as `us7.datadoghq.com`.

    Raises:
        InputError: it does not; the hint lists the sites.
    """
    if site not in SITES and not _REGION.fullmatch(site):
        raise InputError(
            f"DD_SITE is not a site of Datadog: {site!r}",
            hint=f"Datadog's sites are {', '.join(SITES)}; an address of another kind is for DD_URL.",
        )


def without_password(url: str) -> str:
    """Return an address with `***` in place of its user name and password."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{separator}***@{host}{slash}{path}" if at and user else url
