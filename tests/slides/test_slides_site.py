"""The site that the build makes of a talk's documents, and the command that fills an account."""

import json

import pytest

from handlers.slides import seed, site
from handlers.slides.model import load

DOCUMENTS = [
    {"slide": "s02", "title": "Two & more", "bullets": ["a <b>"], "see_also": ["s01"]},
    {"slide": "s01", "title": "One", "bullets": [], "figure": "$ 1"},
]


def test_a_site_has_a_page_for_each_slide_and_an_index_in_their_order():
    pages = site.pages("talk", DOCUMENTS)
    assert set(pages) == {"talk/index.html", "talk/s01.html", "talk/s02.html"}
    index = pages["talk/index.html"]
    assert index.index("s01.html") < index.index("s02.html")


def test_texts_are_escaped_and_links_and_figures_shown():
    pages = site.pages("talk", DOCUMENTS)
    assert "Two &amp; more" in pages["talk/s02.html"]
    assert "a &lt;b&gt;" in pages["talk/s02.html"]
    assert 'href="s01.html"' in pages["talk/s02.html"]
    assert "<strong>$ 1</strong>" in pages["talk/s01.html"]


def test_links_that_point_nowhere_are_listed():
    assert site.broken_links(DOCUMENTS) == []
    assert site.broken_links(DOCUMENTS[:1]) == ["s02 -> s01"]


@pytest.fixture
def talk(world, monkeypatch):
    monkeypatch.setenv("TALK", "talk")
    for document in DOCUMENTS:
        world.s3.put_object(
            Bucket="documents", Key=f"talk/{document['slide']}.json", Body=json.dumps(document)
        )
    return world


def test_a_build_writes_the_pages(talk, capsys):
    assert site.main() == 0
    assert capsys.readouterr().out == "3 pages\n"
    assert (
        talk.s3.get_object(Bucket="site", Key="talk/s01.html")["Body"].read().startswith(b"<!doctype html>")
    )


def test_a_build_with_a_broken_link_fails_and_names_it(talk, capsys):
    talk.s3.delete_object(Bucket="documents", Key="talk/s01.json")
    assert site.main() == 1
    assert capsys.readouterr().err == "broken links: s02 -> s01\n"
    assert "Contents" not in talk.s3.list_objects_v2(Bucket="site")


def test_the_seed_fills_table_model_and_photos(world):
    extras = {"night-watch": {"s03": {"figure_url": "http://x"}, "s04": None}}
    photos = ["--photo", "night-watch/1.jpg=s05:hard:3", "--photo", "night-watch/2.jpg=s06"]
    buckets = ["--model-bucket", "model", "--photo-bucket", "photos"]
    done = seed.main(["--table", "slides", "--talk", json.dumps(extras), *buckets, *photos])
    assert done == 0
    rows = world.dynamodb.query(
        TableName="slides",
        KeyConditionExpression="talk = :t",
        ExpressionAttributeValues={":t": {"S": "night-watch"}},
    )["Items"]
    assert len(rows) == 13
    assert next(row for row in rows if row["slide"]["S"] == "s03")["figure_url"] == {"S": "http://x"}
    assert load(world.s3.get_object(Bucket="model", Key=seed.MODEL_KEY)["Body"].read()).slides
    kept = world.s3.list_objects_v2(Bucket="photos")["Contents"]
    assert [photo["Key"] for photo in kept] == ["night-watch/1.jpg", "night-watch/2.jpg"]


def test_the_seed_writes_the_same_as_files_where_there_is_no_account_yet(tmp_path):
    talks = {"night-watch": {"s04": None}, "other": {"s03": {"figure_url": "http://x"}}}
    photos = ["--photo", "night-watch/1.jpg=s05:hard:3"]
    assert seed.main(["--folder", str(tmp_path), "--talk", json.dumps(talks), *photos]) == 0
    rows = json.loads((tmp_path / "items.json").read_text())
    assert [row["talk"]["S"] for row in rows].count("night-watch") == 13
    assert next(row for row in rows if "figure_url" in row)["talk"] == {"S": "other"}
    assert load((tmp_path / "model.npz").read_bytes()).slides
    assert (tmp_path / "photos" / "night-watch" / "1.jpg").read_bytes().startswith(b"\xff\xd8")
