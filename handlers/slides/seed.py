"""Filling an account (or the embedded one): the slides' data, the model, and photos to try it with.

    python -m handlers.slides.seed --table SlideTable --model-bucket ModelBucket        after `sam deploy`
    python -m handlers.slides.seed --photo-bucket PhotoBucket --photo night-watch/one.jpg=s05

boto3 finds the account as it always does; AWS_ENDPOINT_URL makes it another address.
"""

import argparse
import json
import sys
from collections.abc import Sequence
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


def put_slides(table: str, deck: Deck, talk: str, extras: dict[str, dict[str, Any] | None]) -> None:
    """All slides of a deck as a talk's; `extras` adds attributes by slide, null leaves the slide out."""
    write = TypeSerializer()
    for slide in deck.slides:
        extra = extras.get(slide.id, {})
        if extra is not None:
            values = item(talk, slide, extra)
            values = {name: write.serialize(value) for name, value in values.items()}
            client("dynamodb").put_item(TableName=table, Item=values)


def put_photo(bucket: str, order: str, deck: Deck) -> None:
    """One photo as `KEY=SLIDE[:CONDITIONS[:SEED]]` asks for it."""
    key, _, wanted = order.partition("=")
    slide, conditions, seed = [*wanted.split(":"), "ordinary", "1"][:3]
    photo = photograph(render(deck.slide(slide)), int(seed), CONDITIONS[conditions])
    client("s3").put_object(Bucket=bucket, Key=key, Body=photo, ContentType="image/jpeg")


def main(argv: Sequence[str] | None = None) -> int:
    """Put what was asked for where it belongs."""
    options = _parser().parse_args(argv)
    deck = shipped_deck()
    if options.table:
        for talk, extras in (options.talk or {deck.talk: {}}).items():
            put_slides(options.table, deck, talk, extras)
    if options.model_bucket:
        client("s3").put_object(Bucket=options.model_bucket, Key=MODEL_KEY, Body=learn(deck).dump())
    for order in options.photo:
        put_photo(options.photo_bucket, order, deck)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handlers.slides.seed", description=__doc__)
    parser.add_argument("--table", help="the table of the slides' data")
    parser.add_argument("--talk", type=json.loads, help='JSON: {"talk": {"s05": {"see_also": ["s06"]}}}')
    parser.add_argument("--model-bucket", help="the bucket that gets the model")
    parser.add_argument("--photo-bucket", help="the bucket that gets the photos")
    parser.add_argument("--photo", action="append", default=[], metavar="KEY=SLIDE[:CONDITIONS[:SEED]]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
