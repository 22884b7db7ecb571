"""A file that is not what a command reads is a sentence with status 2, whatever is in it."""

import pytest

from monitoring.cli import main

CONTENTS = {
    "empty": b"",
    "binary": bytes(range(256)) * 8,
    "list": b"[]",
    "null": b"null",
    "an object": b'{"a": 1e999}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "UTF-16": "{}".encode("utf-16"),
}
READERS = (
    ("query", "avg:a{*}", "--data", "FILE"),
    ("backtest", "FILE", "--data", "FILE"),
    ("apply", "FILE"),
    ("trace", "FILE"),
    ("init", "--from", "FILE", "made"),
    ("test", "FILE"),
    ("preview", "FILE"),
)


@pytest.mark.parametrize("arguments", READERS, ids=lambda arguments: arguments[0])
@pytest.mark.parametrize("content", CONTENTS)
def test_what_cannot_be_used_is_a_sentence(tmp_path, monkeypatch, capsys, arguments, content):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DD_URL", "http://127.0.0.1:9")
    (tmp_path / "file.json").write_bytes(CONTENTS[content])
    with pytest.raises(SystemExit) as ended:
        main([argument.replace("FILE", "file.json") for argument in arguments])
    assert ended.value.code == 2, capsys.readouterr()
    assert "a bug" not in capsys.readouterr().err
