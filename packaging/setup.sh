# shellcheck shell=bash
# What a script does before it can run on a fresh machine. To be sourced by a bash script.
#
#   become_root "$@"           runs the script again through sudo, unless root runs it already
#   install_packages GROUP...  those of packaging/packages that are missing
#   build PRESET [TARGET...]   configures and builds (CMakePresets.json), as the owner of the sources

ringback=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")

become_root() {
  ((EUID != 0)) || return 0
  if ! command -v sudo >/dev/null; then
    echo "$0 needs root, for network namespaces and taps, and there is no sudo here: run it as root" >&2
    exit 1
  fi
  echo "$0 needs root, for network namespaces and taps: asking sudo"
  exec sudo -- bash "$0" "$@"
}

install_packages() {
  local group package missing=()
  for group; do
    for package in $(sed -n "s/^$group://p" "$ringback/packaging/packages"); do
      dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed' ||
        missing+=("$package")
    done
  done
  ((${#missing[@]})) || return 0
  echo "Installing with apt: ${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "There is no apt-get here. Install what packaging/packages names with this system's own package manager." >&2
    return 1
  fi
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"; } </dev/null; then
    echo "apt-get could not install them all. Is this Debian 12, and does apt reach its mirror?" >&2
    return 1
  fi
}

# Not as root, when the sources are somebody's: the build folder stays theirs.
as_owner() {
  local owner
  owner=$(stat --format %U "$ringback")
  if ((EUID != 0)) || [[ $owner == root ]] || ! id "$owner" >/dev/null 2>&1; then
    "$@"
  else
    setpriv --reuid "$owner" --regid "$(id -g "$owner")" --init-groups --reset-env "$@"
  fi
}

build() (
  cd "$ringback" || return
  local preset=$1
  shift
  echo "Building with the preset $preset, in build/$preset"
  # With the tests, also where somebody has built it without (docs/xen.md).
  as_owner cmake --preset "$preset" -D BUILD_TESTING=ON -D CMAKE_CXX_COMPILER_LAUNCHER=ccache -D CMAKE_C_COMPILER_LAUNCHER=ccache \
    --log-level=WARNING >/dev/null
  # What another checkout has compiled is not compiled again.
  as_owner env CCACHE_BASEDIR="$ringback" CCACHE_NOHASHDIR=true \
    cmake --build --preset "$preset" --parallel "$(nproc)" ${1:+--target "$@"}
)
