#!/usr/bin/env bash
# All GPU figures in at most 8 minutes, without a network: all.sh BUNDLE OUT [options of everything.py].
# BUNDLE comes from `python -m benchmarks.gpu.bundle`; wheels in BUNDLE/../wheels are used where the machine lacks them.
set -eu
bundle=$1 out=$2
shift 2
wheels=$(dirname "$bundle")/wheels
if [ -d "$wheels" ]; then
    site=$(mktemp -d)
    python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$wheels"/*.whl
    export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi
exec timeout 480 python3 -m benchmarks.gpu.everything "$bundle" "$out" "$@"
