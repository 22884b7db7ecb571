"""The documentation of several versions: one folder each, a list for the selector, and a page that leads to the newest."""

import json
import tomllib

import pytest
import site_versions

VERSIONS = {
    "one": (["0.2.0"], ["0.2.0"]),
    "by number, not by letter": (["0.9.0", "0.10.0", "0.2.0"], ["0.10.0", "0.9.0", "0.2.0"]),
    "beside other folders": (["0.2.0", "assets", "0.3", "latest"], ["0.2.0"]),
}


@pytest.mark.parametrize(("folders", "listed"), VERSIONS.values(), ids=VERSIONS)
def test_versions_are_listed_newest_first_and_the_root_leads_to_the_newest(folders, listed, tmp_path):
    for name in folders:
        (tmp_path / name).mkdir()
    site_versions.list_versions(tmp_path)
    entries = json.loads((tmp_path / "versions.json").read_text())
    assert [entry["version"] for entry in entries] == listed
    assert [entry["aliases"] for entry in entries] == [["latest"], *[[] for _ in listed[1:]]]
    assert f'url={listed[0]}/"' in (tmp_path / "index.html").read_text()


@pytest.mark.checkout
def test_a_revision_from_before_the_site_takes_todays_settings_and_its_readme(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# A\n[lint](docs/lint.md)\n")
    assert site_versions.configure(tmp_path) == []
    assert "[lint](lint.md)" in (tmp_path / "docs" / "index.md").read_text()
    project = tomllib.loads((tmp_path / "zensical.toml").read_text())["project"]
    assert "nav" not in project
    assert project["extra"]["version"] == {"provider": "mike"}


def test_a_revision_with_settings_keeps_them_and_its_links_are_checked(tmp_path):
    (tmp_path / "zensical.toml").write_text('[project]\nnav = [{"Home" = "index.md"}]\n')
    assert site_versions.configure(tmp_path) == ["--strict"]
    project = tomllib.loads((tmp_path / "zensical.toml").read_text())["project"]
    assert project == {"nav": [{"Home": "index.md"}], "extra": {"version": {"provider": "mike"}}}
