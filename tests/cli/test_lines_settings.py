"""`stepscope lines` reports what is not valid among the settings of functions, once."""

import pytest

from monitoring.cli import main
from monitoring.instrumentation.settings import forget


@pytest.mark.parametrize(
    ("value", "said"),
    [("datdog", "MONITORING_FORMAT=datdog is not valid: write monitoring, datadog or both"), ("both", "")],
)
def test_an_invalid_setting_is_reported_once_with_what_is_allowed(monkeypatch, tmp_path, capsys, value, said):
    monkeypatch.setenv("MONITORING_FORMAT", value)
    forget()
    (tmp_path / "a.log").write_text("MONITORING|1700000000|1|count|a.b|\n" * 3)
    with pytest.raises(SystemExit) as ended:
        main(["lines", str(tmp_path / "a.log"), str(tmp_path / "a.log")])
    assert ended.value.code == 0
    shown = capsys.readouterr().err
    assert shown.count("is not valid") == bool(said)
    assert said in shown
    assert "6 lines: 6 points" in shown
    forget()
