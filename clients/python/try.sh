#!/usr/bin/env bash
# Installs the wheel from ARTEFACTS into an empty project: try.sh ARTEFACTS WORK. It leaves WORK/example and WORK/runner.
# Exit code 77, with a line that says why, where the toolchain or the registry is missing.
set -euo pipefail

artefacts=$(realpath "$1") work=$(realpath -m "$2")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

skip() {
    echo "python: $1"
    exit 77
}

command -v python3 >/dev/null || skip "no python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "python3 is older than 3.10"
wheel=$(find "$artefacts" -name 'admin_gateway-*.whl' | head -n 1)
[[ -n $wheel ]] || { echo "no wheel in $artefacts" >&2; exit 1; }
mkdir -p "$work"
cd "$work"
python3 -m venv .venv >&2 || skip "python3 cannot make a virtual environment"
export PIP_DISABLE_PIP_VERSION_CHECK=1
# The vendor's SDK is there to show that both fit into one environment.
if ! .venv/bin/pip install -q "$wheel" openai==3.54.0 >pip.log 2>&1; then
    cat pip.log >&2
    .venv/bin/pip download -q --no-deps -d .probe openai==3.54.0 >/dev/null 2>&1 || skip "the registry of Python packages does not answer"
    exit 1
fi
.venv/bin/pip check >&2
cp "$here"/../../examples/python/*.py "$here/conformance/runner.py" .
for name in example runner; do
    script=$name.py
    [[ $name == example ]] && script=main.py
    printf '#!/bin/sh\nexec "%s/.venv/bin/python" "%s/%s" "$@"\n' "$work" "$work" "$script" >"$name"
    chmod +x "$name"
done
