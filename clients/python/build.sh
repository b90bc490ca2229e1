#!/usr/bin/env bash
# Builds the wheel: build.sh SCHEMA VERSION OUT, in a copy of this folder. Exit code 77, with a line that says why,
# where the toolchain or the registry is missing.
set -euo pipefail

schema=$(realpath "$1") version=$2 out=$(realpath -m "$3")
cd "$(dirname "${BASH_SOURCE[0]}")"

skip() {
    echo "python: $1"
    exit 77
}

command -v python3 >/dev/null || skip "no python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "python3 is older than 3.10"
python3 -m venv .venv >&2 || skip "python3 cannot make a virtual environment"
export PATH="$PWD/.venv/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1
# --require-hashes takes only what the lock file names. A registry that does not answer is no fault of the package.
if ! pip install -q --require-hashes --no-deps -r requirements-build.txt >pip.log 2>&1; then
    cat pip.log >&2
    pip download -q --no-deps -d .probe packaging==26.4 >/dev/null 2>&1 || skip "the registry of Python packages does not answer"
    exit 1
fi

# PEP 440 has 0.3.0.dev0 for 0.3.0-dev; the user agent has the version as it was given.
python - "$version" <<'PY'
import pathlib, sys
from packaging.version import Version
pathlib.Path("src/admin_gateway/_version.py").write_text(f'__version__ = "{Version(sys.argv[1])}"\nRELEASE = "{sys.argv[1]}"\n')
PY
python generate.py "$schema/proto" src/admin_gateway
ruff format --check -q .
ruff check -q .
mypy
mypy tests/typed.py
python -m pytest -q
mkdir -p "$out"
python -m build --wheel --no-isolation --outdir "$out" . >build.log 2>&1 || { cat build.log >&2; exit 1; }
echo "python: $(cd "$out" && ls admin_gateway-*.whl)" >&2
