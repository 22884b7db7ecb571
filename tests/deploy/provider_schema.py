"""Arguments of Terraform's AWS provider, for the types that deploy/ uses: provider_schema.json beside this file.

The provider itself comes from a registry of its own. What it takes is also in the package
cdktf-cdktf-provider-aws, a class per type that is generated from the provider's schema:

    pip install --no-deps --target FOLDER cdktf-cdktf-provider-aws
    python tests/deploy/provider_schema.py FOLDER

writes the file anew, with every type that a *.tf below deploy/ names.
"""

import ast
import json
import re
import sys
from pathlib import Path

import hcl2

FILE = Path(__file__).with_suffix(".json")
DEPLOY = Path(__file__).parents[2] / "deploy"
TYPE = re.compile(r'^(resource|data) "(aws_\w+)"', re.MULTILINE)
META = {
    "connection",
    "count",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "provisioner",
    "provisioners",
}
"""Meta-arguments, which every type takes."""


def used_types():
    """The types of the files below deploy/, data sources as `data.aws_…`."""
    texts = [path.read_text("utf-8") for path in DEPLOY.rglob("*.tf")]
    rows = [match for text in texts for match in TYPE.findall(text)]
    return sorted({f"data.{name}" if block == "data" else name for block, name in rows})


def arguments_of(classes, name):
    """The arguments of a class: `required`, and for a block its own arguments."""
    arguments = {}
    for argument, default in classes.get(name, ()):
        if argument.arg in {"scope", "id_", *META}:
            continue
        block = re.search(r"'(\w+)'", ast.unparse(argument.annotation))
        inner = arguments_of(classes, block[1]) if block else None
        arguments[argument.arg.rstrip("_")] = {
            "required": default is None,
            **({"block": inner} if inner else {}),
        }
    return arguments


def read(folder, kind):
    """The arguments of a type, out of the package's module of that type."""
    name = kind.replace("data.aws_", "data_aws_").removeprefix("aws_")
    tree = ast.parse((folder / name / "__init__.py").read_text("utf-8"))
    classes = {}
    for node in tree.body:
        for part in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                classes[node.name] = list(zip(part.args.kwonlyargs, part.args.kw_defaults, strict=True))
    own = "".join(word.capitalize() for word in name.split("_"))
    return arguments_of(
        classes, own if own in classes else f"{own}A"
    )  # the package's name where a block has it


def named(blocks):
    """Yield label and content of hcl2's rows, without what it notes of their lines."""
    for row in blocks:
        yield from ((key.strip('"'), content) for key, content in row.items() if not key.startswith("__"))


def listed(value):
    return value if isinstance(value, list) else [value]


def given(body):
    """The arguments of a block, each with its values; a dynamic block is as many as its content."""
    arguments = {name: listed(value) for name, value in named([body]) if name not in META | {"dynamic"}}
    for label, block in named(body.get("dynamic", ())):
        arguments.setdefault(label, []).extend(listed(block["content"]))
    return arguments


def refused(body, schema, where):
    """Yield what is wrong with the arguments of a block: unknown, missing, or in a block of its own."""
    arguments = given(body)
    for name, values in arguments.items():
        if name not in schema:
            yield f"{where}: no argument {name}"
        for value in values:
            if isinstance(value, dict) and "block" in schema.get(name, ()):
                yield from refused(value, schema[name]["block"], f"{where}.{name}")
    for name, argument in schema.items():
        if argument["required"] and name not in arguments:
            yield f"{where}: {name} is missing"


def faults(text):
    """Yield what the provider would refuse of a file's resources and data sources."""
    types = json.loads(FILE.read_text("utf-8"))["types"]
    content = hcl2.loads(text)
    for block, prefix in (("resource", ""), ("data", "data.")):
        for kind, rows in named(content.get(block, ())):
            if not kind.startswith("aws_"):
                continue
            if prefix + kind not in types:
                yield f"{prefix}{kind} is not in {FILE.name}: write it anew"
                continue
            for name, body in named([rows]):
                yield from refused(body, types[prefix + kind], f"{kind}.{name}")


def main(folder):
    package = folder / "cdktf_cdktf_provider_aws"
    version = re.search(
        r"providers/hashicorp/aws/([\d.]+)", (package / "lambda_function" / "__init__.py").read_text("utf-8")
    )[1]
    rows = [f'"{kind}": {json.dumps(read(package, kind), sort_keys=True)}' for kind in used_types()]
    FILE.write_text(f'{{"provider": "{version}", "types": {{\n' + ",\n".join(rows) + "\n}}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
