# Makes .venv with everything pinned by hash. Sourced by ./run (with "run") and ./test (with "dev").
# It touches nothing outside this folder, except that as root it installs pip where Debian left it out.
set -euo pipefail
export UV_CACHE_DIR="${UV_CACHE_DIR:-$PWD/.uv/cache}"
kind=${1:?run or dev}
uv_version=0.13.9
say() { printf '%s\n' "$*" >&2; }
unfetched() {
  say "$1 could not be fetched: is the network there? PIP_INDEX_URL and UV_DEFAULT_INDEX name another package index."
  say "What is there already stays; run this again to go on."
  exit 1
}

python=
for candidate in "${TIPSTAFF_PYTHON:-}" python3.11 python3 python3.12 python3.13; do
  if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
     "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    python=$candidate; break
  fi
done
if [ -z "$python" ]; then
  say "Python 3.11 to 3.13 is needed and was not found; install python3, or name one in TIPSTAFF_PYTHON."; exit 1
fi

lock=requirements.lock
if [ "$kind" = dev ]; then lock=requirements-dev.lock; fi
stamp=.venv/.made-$kind
wanted=$(cat "$lock" pyproject.toml tools/setup.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
  if [ ! -x .uv/bin/uv ] || ! .uv/bin/uv --version | grep -q "$uv_version"; then
    if ! "$python" -m pip --version >/dev/null 2>&1; then
      if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing pip ..."
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-pip >/dev/null
      else
        say "pip is needed once, to fetch uv: run  apt-get install python3-pip  as root, then this again."; exit 1
      fi
    fi
    say "Fetching uv $uv_version ..."
    rm -rf .uv
    "$python" -m pip install -q --disable-pip-version-check --no-warn-conflicts --root-user-action=ignore \
      --target .uv "uv==$uv_version" || unfetched "uv $uv_version"
  fi
  say "Setting up .venv ..."
  if [ ! -x .venv/bin/python ]; then .uv/bin/uv venv -q --python "$python" .venv; fi
  .uv/bin/uv pip install -q --python .venv/bin/python --require-hashes -r "$lock" || unfetched "What $lock names"
  .uv/bin/uv pip install -q --python .venv/bin/python --no-deps -e . || unfetched "What builds this package"
  printf '%s\n' "$wanted" > "$stamp"
fi
