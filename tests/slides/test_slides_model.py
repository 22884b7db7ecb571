"""The deck's pages, photos of them, and the model that tells them apart."""

import io

import numpy as np
import pytest
from PIL import Image

from handlers.slides import learn
from handlers.slides.deck import Deck
from handlers.slides.errors import ModelError, UnreadablePhotoError
from handlers.slides.features import features
from handlers.slides.geometry import find_screen, straighten
from handlers.slides.model import Model, load, read_photo
from handlers.slides.photos import CONDITIONS, HOPELESS, ORDINARY, photograph
from handlers.slides.render import PAGE, render


def test_every_slide_has_a_page_of_its_own(deck: Deck):
    pages = [render(slide) for slide in deck.slides]
    assert {page.size for page in pages} == {PAGE}
    assert 10 <= len({page.tobytes() for page in pages}) == len(deck.slides) <= 14


def test_the_same_seed_takes_the_same_photo_and_another_seed_another(deck: Deck):
    page = render(deck.slides[0])
    assert photograph(page, 5) == photograph(page, 5) != photograph(page, 6)


@pytest.mark.parametrize("seed", range(5))
def test_the_straightened_page_lies_over_the_drawn_one(deck: Deck, seed: int):
    page = render(deck.slide("s03"))
    flat = straighten(read_photo(photograph(page, seed)))
    assert flat is not None
    assert float(features(flat) @ features(page.resize(flat.size))) > 0.6


def test_ordinary_and_hard_photos_are_answered_right_and_never_wrong(deck: Deck, model: Model):
    for kind, least in (("ordinary", 0.85), ("hard", 0.75)):
        score = learn.measure(model, deck.slides, CONDITIONS[kind], 1, kind)
        assert score.wrong == 0, score
        assert score.right >= least * score.photos, score


def test_slides_that_differ_by_one_bullet_are_told_apart(deck: Deck, model: Model):
    answers = {
        slide: {
            model.classify(read_photo(photograph(render(deck.slide(slide)), seed))).best for seed in range(6)
        }
        for slide in ("s05", "s06")
    }
    assert answers == {"s05": {"s05"}, "s06": {"s06"}}


def test_a_hopeless_photo_is_not_guessed_at(deck: Deck, model: Model):
    answer = model.classify(read_photo(photograph(render(deck.slide("s09")), 21, HOPELESS)))
    assert answer.slide is None
    assert answer.reason in {"nothing alike", "too close to call"}


def test_a_photo_without_a_screen_shows_nothing(model: Model):
    wall = Image.new("RGB", (640, 480), (60, 60, 70))
    assert find_screen(wall) is None
    assert model.classify(wall).reason == "no screen"


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (4000, 30), (640, 480), (60, 240)])
def test_photos_of_any_shape_get_an_answer(model: Model, size: tuple[int, int]):
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    assert model.classify(Image.fromarray(noise)).slide is None


def test_a_model_that_was_kept_answers_the_same(deck: Deck, model: Model):
    data = model.dump()
    assert len(data) < 500_000
    kept = load(data)
    photo = read_photo(photograph(render(deck.slide("s07")), 3))
    one, other = model.classify(photo), kept.classify(photo)
    assert one.slide == other.slide == "s07"
    assert one.confidence == pytest.approx(other.confidence, abs=0.01)


def test_a_model_file_holds_no_pickled_object(model: Model):
    with np.load(io.BytesIO(model.dump()), allow_pickle=False) as file:
        assert {file[name].dtype.kind for name in file.files} == {"U", "i"}


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "cannot be read"), (b"not a zip", "cannot be read"), (b"PK\x03\x04broken", "cannot be read")],
)
def test_a_broken_model_file_is_refused(data: bytes, said: str):
    with pytest.raises(ModelError, match=said):
        load(data)


def test_a_model_of_other_features_is_refused():
    other = Model(("s01",), np.zeros(1, np.int16), np.ones((1, 7), np.float32))
    with pytest.raises(ModelError, match="make it again"):
        load(other.dump())


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes that are not a picture"),
        (b"Dear pipeline", "13 bytes that are not a picture"),
        (photograph(Image.new("RGB", PAGE), 1, ORDINARY)[:4000], "cannot be read"),
        (png(9000, 9000), "9000 x 9000 pixels"),
    ],
    ids=["empty", "text", "cut off", "too large"],
)
def test_what_is_no_photo_is_said_to_be_none(data: bytes, said: str):
    with pytest.raises(UnreadablePhotoError, match=said):
        read_photo(data)


def test_the_measuring_command_prints_every_kind_and_keeps_the_model(tmp_path, capsys):
    assert learn.main(["--each", "1", "--write", str(tmp_path / "model.npz")]) == 0
    shown = capsys.readouterr().out
    assert [line[:28].strip() for line in shown.splitlines()[1:]] == [
        "ordinary",
        "hard",
        "hopeless",
        "of another talk",
    ]
    assert load((tmp_path / "model.npz").read_bytes()).slides[0] == "s01"
