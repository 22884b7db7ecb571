"""The site: what CodeBuild runs to turn a talk's documents into pages (`python -m handlers.slides.site`).

It reads TALK, DOCUMENTS_BUCKET and SITE_BUCKET, and ends with status 1 where a page points to one that is not
there.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from handlers.slides.aws import client, read_object, setting

Document = Mapping[str, Any]

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<body><h1>{title}</h1>
{body}
</body></html>
"""


class BrokenLinkError(Exception):
    """A page points to a slide that has none."""


def broken_links(documents: Sequence[Document]) -> list[str]:
    """Return the broken links, as `s05 -> s99`."""
    slides = {document["slide"] for document in documents}
    return [
        f"{document['slide']} -> {target}"
        for document in documents
        for target in document.get("see_also", ())
        if target not in slides
    ]


def page(document: Document) -> str:
    """One slide as HTML."""
    parts = [f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in document['bullets'])}</ul>"]
    if figure := document.get("figure"):
        parts.append(f"<p><strong>{escape(figure)}</strong></p>")
    targets = [escape(target) for target in document.get("see_also", ())]
    parts += [f'<p>See also <a href="{target}.html">{target}</a></p>' for target in targets]
    return PAGE.format(title=escape(document["title"]), body="\n".join(parts))


def pages(talk: str, documents: Sequence[Document]) -> dict[str, str]:
    """Key -> HTML of the whole site of a talk."""
    site = {f"{talk}/{document['slide']}.html": page(document) for document in documents}
    rows = "".join(
        f'<li><a href="{escape(document["slide"])}.html">{escape(document["title"])}</a></li>'
        for document in sorted(documents, key=lambda document: str(document["slide"]))
    )
    site[f"{talk}/index.html"] = PAGE.format(title=escape(talk), body=f"<ol>{rows}</ol>")
    return site


def documents_of(bucket: str, talk: str) -> list[Document]:
    """All documents of a talk."""
    batches = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{talk}/")
    keys = [entry["Key"] for batch in batches for entry in batch.get("Contents", ())]
    return [json.loads(read_object(bucket, key)) for key in keys]


def build(talk: str, documents_bucket: str, site_bucket: str) -> int:
    """Build a talk's site; how many pages it has."""
    documents = documents_of(documents_bucket, talk)
    if broken := broken_links(documents):
        raise BrokenLinkError("broken links: " + ", ".join(broken))
    site = pages(talk, documents)
    for key, html in site.items():
        client("s3").put_object(
            Bucket=site_bucket, Key=key, Body=html.encode(), ContentType="text/html; charset=utf-8"
        )
    return len(site)


def main() -> int:
    """Run the build."""
    try:
        count = build(setting("TALK"), setting("DOCUMENTS_BUCKET"), setting("SITE_BUCKET"))
    except BrokenLinkError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
