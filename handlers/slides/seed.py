"""Filling an account (or the embedded one): the slides' data, the model, and photos to try it with.

    python -m handlers.slides.seed --table SlideTable --model-bucket ModelBucket        after `sam deploy`
    python -m handlers.slides.seed --photo-bucket PhotoBucket --photo night-watch/one.jpg=s05
    python -m handlers.slides.seed --folder out --photo night-watch/one.jpg=s05   as files

boto3 finds the account as it always does; AWS_ENDPOINT_URL makes it another address.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from handlers.slides.aws import client
from handlers.slides.deck import Deck, Slide, shipped_deck
from handlers.slides.learn import learn
from handlers.slides.photos import CONDITIONS, photograph
from handlers.slides.render import render

MODEL_KEY = "slides/model.npz"


def item(talk: str, slide: Slide, extra: dict[str, Any]) -> dict[str, Any]:
    """Return a slide as an item of the table, from which a page of the site is made."""
    return {"talk": talk, "slide": slide.id, "title": slide.title, "bullets": list(slide.bullets), **extra}


def items(deck: Deck, talk: str, extras: dict[str, dict[str, Any] | None]) -> Iterator[dict[str, Any]]:
    """Yield a talk's slides in DynamoDB's JSON; `extras` adds attributes by slide, null leaves one out."""
    write = TypeSerializer()
    for slide in deck.slides:
        extra = extras.get(slide.id, {})
        if extra is not None:
            yield {name: write.serialize(value) for name, value in item(talk, slide, extra).items()}


def put_slides(table: str, deck: Deck, talk: str, extras: dict[str, dict[str, Any] | None]) -> None:
    """Put a talk's slides into the table."""
    for values in items(deck, talk, extras):
        client("dynamodb").put_item(TableName=table, Item=values)


def taken(order: str, deck: Deck) -> tuple[str, bytes]:
    """Return the key and the photo that `KEY=SLIDE[:CONDITIONS[:SEED]]` asks for."""
    key, _, wanted = order.partition("=")
    slide, conditions, seed = [*wanted.split(":"), "ordinary", "1"][:3]
    return key, photograph(render(deck.slide(slide)), int(seed), CONDITIONS[conditions])


def write_folder(
    folder: Path, deck: Deck, talks: dict[str, dict[str, Any]], photos: dict[str, bytes]
) -> None:
    """Write the items of the talks (items.json), the model (model.npz) and the photos, by key, in photos/."""
    for key, photo in photos.items():
        path = folder / "photos" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo)
    rows = [values for talk, extras in talks.items() for values in items(deck, talk, extras)]
    (folder / "items.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "model.npz").write_bytes(learn(deck).dump())


def main(argv: Sequence[str] | None = None) -> int:
    """Put what was asked for where it belongs."""
    options = _parser().parse_args(argv)
    deck = shipped_deck()
    talks = options.talk or {deck.talk: {}}
    photos = dict(taken(order, deck) for order in options.photo)
    if options.folder:
        write_folder(options.folder, deck, talks, photos)
        return 0
    if options.table:
        for talk, extras in talks.items():
            put_slides(options.table, deck, talk, extras)
    if options.model_bucket:
        client("s3").put_object(Bucket=options.model_bucket, Key=MODEL_KEY, Body=learn(deck).dump())
    for key, photo in photos.items():
        client("s3").put_object(Bucket=options.photo_bucket, Key=key, Body=photo, ContentType="image/jpeg")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handlers.slides.seed", description=__doc__)
    parser.add_argument("--table", help="the table of the slides' data")
    parser.add_argument("--talk", type=json.loads, help='JSON: {"talk": {"s05": {"see_also": ["s06"]}}}')
    parser.add_argument("--folder", type=Path, help="write all of it as files into this folder instead")
    parser.add_argument("--model-bucket", help="the bucket that gets the model")
    parser.add_argument("--photo-bucket", help="the bucket that gets the photos")
    parser.add_argument("--photo", action="append", default=[], metavar="KEY=SLIDE[:CONDITIONS[:SEED]]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
