"""Read and print addresses of Datadog: the name of a site, and a URL without its password."""

import re

_SITE = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d+)?")
SITES = (
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "ddog-gov.com",
)
"""Datadog's sites, by https://docs.datadoghq.com/getting_started/site/; another one is taken as it is."""


def read_site(text: str) -> str:
    """Return the name of a site, in lower case.

    Raises:
        ValueError: it is not a host name; says what to write.
    """
    site = text.strip().lower()
    if not _SITE.fullmatch(site):
        raise ValueError("write a site such as datadoghq.com or datadoghq.eu")
    return site


def without_password(url: str) -> str:
    """Return an address as it may be printed: with `***` for its user name and password."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{separator}***@{host}{slash}{path}" if at and user else url
