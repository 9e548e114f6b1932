# Shared by the launchers: where the clone is, who owns it, and how to fail. Sourced.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

fail() { # message, what helps
  printf 'failed: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  what helps: %s\n' "$2" >&2
  exit 1
}

need_root() {
  [ "$(id -u)" = 0 ] || fail "$1 needs root: it makes bridges, namespaces and guests" "sudo -E $1"
}

need_node() {
  command -v node >/dev/null || fail 'Node.js is not installed' 'install Node.js 20 or newer (https://nodejs.org), then run this again'
  local major
  major="$(node -p 'process.versions.node.split(".")[0]')"
  [ "$major" -ge 20 ] || fail "Node.js $(node --version) is too old" 'install Node.js 20 or newer (https://nodejs.org), then run this again'
}

# Where a simulated site of this person is.
simulated_dir() {
  printf %s "${SKERRY_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/skerry-simulated}"
}

# up or down of a simulated site: program, then its arguments. One at a time; the lock is not handed on to what is started (--close).
simulated() {
  SKERRY_STATE_DIR="$(simulated_dir)"
  export SKERRY_STATE_DIR
  mkdir -p "$(dirname "$SKERRY_STATE_DIR")"
  local code=0
  flock --nonblock --close --conflict-exit-code 75 "$SKERRY_STATE_DIR.lock" node --enable-source-maps "$@" || code=$?
  [ "$code" != 75 ] || fail 'another up or down of this site is running' 'wait for its end'
  exit "$code"
}

# Runs a command as the owner of the clone, so that no file of root's is left in a user's clone.
as_owner() {
  local owner
  owner="$(stat -c %U "$root")"
  if [ "$(id -u)" = 0 ] && [ "$owner" != root ]; then
    runuser -u "$owner" -- env "HOME=$(getent passwd "$owner" | cut -d: -f6)" "PATH=$PATH" "$@"
  else
    "$@"
  fi
}
