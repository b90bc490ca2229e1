"""Generates the package's modules: python generate.py SCHEMA/proto src/admin_gateway."""

import pathlib
import re
import sys
import tempfile
from importlib import resources

from grpc_tools import protoc

# google.rpc and google.api are those of googleapis-common-protos: most programs have one of a type at most.
SERVICES = ("admin", "control", "inventory", "lease", "options")


def main(protos: pathlib.Path, package: pathlib.Path) -> None:
    names = sorted(str(path.relative_to(protos)) for path in protos.glob("admingateway/**/*.proto"))
    with tempfile.TemporaryDirectory() as made:
        outputs = [f"--{kind}_out={made}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
        outputs += ["--mypy_opt=quiet", "--mypy_grpc_opt=quiet"]
        well_known = str(resources.files("grpc_tools") / "_proto")
        if protoc.main(["protoc", f"-I{protos}", f"-I{well_known}", *outputs, *names]) != 0:
            sys.exit("protoc failed")
        for module in sorted(pathlib.Path(made).rglob("*.py*")):
            relative = module.relative_to(pathlib.Path(made, "admingateway"))
            if "_pb2_grpc" in module.name and "class " not in module.read_text().replace("class _", ""):
                continue  # A file without services.
            target = package / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(nested(module.read_text()))
    for service in SERVICES:
        for folder in (package / service, *(package / service).glob("v*")):
            (folder / "__init__.py").touch()
    if unknown := {path.name for path in package.iterdir() if path.is_dir()} - {*SERVICES, "__pycache__"}:
        sys.exit(f"packages without a place: {unknown}")


def nested(text: str) -> str:
    """A module's text with the imports of the others from below the package. The names of messages stay."""
    text = re.sub(r"^(from|import) admingateway\.", r"\1 admin_gateway.", text, flags=re.MULTILINE)
    return text.replace("(DESCRIPTOR, 'admingateway.", "(DESCRIPTOR, 'admin_gateway.")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
