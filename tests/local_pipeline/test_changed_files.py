"""Which files of an application are looked at while it is up."""

from pathlib import Path

import pytest

from monitoring.discovery.stack import Stack
from monitoring.up.changes import stamps


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("template.yaml", "template"),
        ("machine.asl.json", "template"),
        ("main.tf", "template"),
        ("prod.tfvars", "template"),
        ("order.tftpl", "template"),
        ("src/pay.py", "code"),
        ("src/mail.js", "code"),
        ("src/mail.mjs", "code"),
        ("src/mail.cjs", "code"),
        ("README.md", ""),
        ("node_modules/x/index.js", ""),
        (".terraform/modules/x/main.tf", ""),
    ],
)
def test_templates_and_code_of_every_form_are_looked_at(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    templates, code = stamps([Stack("shop", tmp_path, {})], [])
    assert (list(templates), list(code)) == (
        [path.resolve()] if kind == "template" else [],
        [path.resolve()] if kind == "code" else [],
    )
