#!/bin/sh
# Installs porwatch from this folder, without any network: sh install.sh [DIR]     default: /opt/porwatch
# Every file is compared with SHA256SUMS first, every wheel again with its hash in requirements.txt.
set -eu
cd "$(dirname "$0")"
target=${1:-/opt/porwatch}
python=${PYTHON:-python3}

sha256sum --quiet --strict --check SHA256SUMS
wanted=$(cat PYTHON)
found=$("$python" -c 'import sys, sysconfig; print("%d.%d %s" % (*sys.version_info[:2], sysconfig.get_platform()))')
if [ "$found" != "$wanted" ]; then
  echo "this bundle is for Python $wanted, $python is $found: name another one as in PYTHON=python3.11 sh install.sh" >&2
  exit 2
fi
"$python" -m venv "$target"
"$target/bin/python" -m pip --disable-pip-version-check --quiet install \
  --no-index --find-links wheels --no-deps --require-hashes -r requirements.txt
"$target/bin/porwatch" --help >/dev/null
echo "installed: $target/bin/porwatch"
