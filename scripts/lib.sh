# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Functions that the scripts in this directory share.  Source it from bash:
#
#     . "$(dirname "$0")/lib.sh"
#
# Everything that is meant for people goes to stderr; a script's result (a
# path, as a rule) is the last line of its stdout.

set -euo pipefail

ENVME_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ENVME_TOP=$(dirname "$ENVME_SCRIPTS")
ENVME_CACHE=${ENVME_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/envme}
ENVME_JOBS=${ENVME_JOBS:-$(nproc)}
export ENVME_TOP ENVME_CACHE ENVME_JOBS
ENVME_CACHE=$(realpath -m "$ENVME_CACHE")
mkdir -p "$ENVME_CACHE" "$ENVME_CACHE/locks" "$ENVME_CACHE/log"
find "$ENVME_CACHE/log" -type f -mtime +7 -delete 2>/dev/null || true

# --- saying things --------------------------------------------------------

say()  { printf '%s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die()  { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# progress TEXT COMMAND...
# Runs the command with its output in a log.  Silent below 2 s; then a line
# that counts the seconds (one that is rewritten on a terminal, one every
# 30 s elsewhere).  When the command fails, the end of its log is shown.
# The command runs in a subshell: it cannot set variables of the caller.
# A function that is called this way needs "|| return" after its steps,
# because bash ignores "set -e" in a command whose status is tested.
progress() {
    local text=$1 log start now pid rc=0 shown=0 last=0 tty=0 traps
    shift
    log=$(mktemp "$ENVME_CACHE/log/progress.XXXXXX")
    [ -t 2 ] && tty=1
    start=$SECONDS
    # A process group of its own, so that Ctrl-C stops all of it: the shell
    # would have what it starts in the background ignore that.
    traps=$(trap -p INT TERM)
    set -m
    ( trap - EXIT INT TERM; set +m; "$@" ) >"$log" 2>&1 </dev/null &
    pid=$!
    set +m
    # shellcheck disable=SC2064
    trap "kill -TERM -- -$pid 2>/dev/null; exit 130" INT TERM
    # Poll in short steps, so that a quick command costs no visible wait.
    while kill -0 "$pid" 2>/dev/null; do
        now=$((SECONDS - start))
        if [ "$now" -ge 2 ]; then
            if [ $tty = 1 ]; then
                printf '\r%s ... %d s ' "$text" "$now" >&2
                shown=1
            elif [ $shown = 0 ] || [ $((now - last)) -ge 30 ]; then
                if [ $shown = 0 ]; then
                    say "$text ..."
                else
                    say "$text ... $now s"
                fi
                shown=1
                last=$now
            fi
            sleep 0.5
        else
            sleep 0.1
        fi
    done
    wait "$pid" || rc=$?
    trap - INT TERM
    eval "$traps"
    now=$((SECONDS - start))
    if [ $rc != 0 ]; then
        [ $tty = 1 ] && [ $shown = 1 ] && printf '\n' >&2
        say "$text: failed (status $rc); the end of its output:"
        tail -n "${ENVME_LOG_LINES:-25}" "$log" | sed 's/^/  | /' >&2
        say "  (all of it: $log)"
        return "$rc"
    fi
    rm -f "$log"
    if [ $shown = 1 ]; then
        [ $tty = 1 ] && printf '\r' >&2
        say "$text: done in $now s"
    fi
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_ge A B: version A is B or later.
version_ge() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# --- locks and the cache ----------------------------------------------------

# with_lock NAME COMMAND...
# Runs the command while holding a lock that other scripts respect.  The
# lock goes away with the process, so a killed script leaves none behind.
# Not re-entrant: the command must not ask for the same name again.
with_lock() {
    local name=$1 fd rc=0
    shift
    exec {fd}>"$ENVME_CACHE/locks/${name//\//_}"
    if ! flock -n "$fd"; then
        say "waiting for another envme script ($name) ..."
        flock "$fd"
    fi
    # The command runs in this shell; only background children must not
    # keep the lock, and those that matter are waited for.
    "$@" || rc=$?
    exec {fd}>&-
    return "$rc"
}

# A cache entry is a directory that counts only with its stamp, which is
# written last.  cache_has KEY: is there a finished one?
cache_has() { [ -f "$ENVME_CACHE/$1/.complete" ]; }
cache_dir() { printf '%s\n' "$ENVME_CACHE/$1"; }

# cache_make [--in-place] KEY COMMAND [ARG...]
# Calls COMMAND DIR ARG... to fill the entry KEY unless it is there.  The
# directory is filled under a temporary name and renamed when complete.
# With --in-place, for build trees that hold their own absolute path, it is
# filled under its final name; without its stamp it is removed at the next
# try, so an interrupted build is never taken for a finished one.
# COMMAND says by its status whether all went well: bash ignores "set -e"
# in it, so each of its steps needs "|| return".
cache_make() {
    local in_place=0
    if [ "$1" = --in-place ]; then
        in_place=1
        shift
    fi
    local key=$1
    shift
    cache_has "$key" && return 0
    with_lock "cache-$key" cache_make_locked "$in_place" "$key" "$@"
}

cache_make_locked() {
    local in_place=$1 key=$2 final tmp
    final=$ENVME_CACHE/$key
    shift 2
    cache_has "$key" && return 0
    local command=$1
    shift
    rm -rf "$final"
    mkdir -p "$(dirname "$final")"
    if [ "$in_place" = 1 ]; then
        mkdir "$final"
        "$command" "$final" "$@" || return
    else
        tmp=$final.tmp.$$
        # Left behind by a killed script; we hold the lock, so none is live.
        rm -rf "$final".tmp.*
        mkdir "$tmp"
        "$command" "$tmp" "$@" || { rm -rf "$tmp"; return 1; }
        mv "$tmp" "$final"
    fi
    sync -f "$final" 2>/dev/null || true
    : >"$final/.complete"
}

# hash_of WORD...: a short name for a set of options or file contents.
hash_of() { printf '%s\n' "$@" | sha256sum | cut -c 1-12; }

# --- packages ---------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "root is needed for '$*': run as root, or install sudo"
    fi
}

package_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null |
        cut -c 1-2)" = ii ]
}

# need_packages PACKAGE...: installs those that are missing.
need_packages() {
    local p missing=()
    if ! have dpkg-query || ! have apt-get; then
        die "this script installs packages with apt-get, which this system" \
            "does not have; needed are: $*"
    fi
    for p in "$@"; do
        package_installed "$p" || missing+=("$p")
    done
    [ ${#missing[@]} = 0 ] && return 0
    if [ "$(id -u)" != 0 ] && ! have sudo; then
        die "packages are missing and neither root nor sudo is at hand;" \
            "please run: apt-get install ${missing[*]}"
    fi
    with_lock apt-install need_packages_locked "${missing[@]}"
}

need_packages_locked() {
    local p missing=()
    for p in "$@"; do
        package_installed "$p" || missing+=("$p")
    done
    [ ${#missing[@]} = 0 ] && return 0
    [ "$(id -u)" = 0 ] || sudo -v || die "sudo did not let us install packages"
    # The lists may be absent (a fresh image) or older than the mirror.
    if ! apt_install_quiet "${missing[@]}"; then
        progress "updating the package lists" \
            as_root apt-get -q -o DPkg::Lock::Timeout=600 update ||
            die "apt-get update failed; see above"
        progress "installing ${#missing[@]} packages (${missing[*]})" \
            apt_install "${missing[@]}" ||
            die "apt-get could not install: ${missing[*]}"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=600 -o APT::Get::Assume-Yes=true \
        install --no-install-recommends "$@"
}

# First try: only if apt already knows where to get all of them.
apt_install_quiet() {
    apt-get -q -s install --no-install-recommends "$@" >/dev/null 2>&1 ||
        return 1
    ENVME_LOG_LINES=3 progress "installing $# packages ($*)" apt_install "$@"
}

# --- a private apt ------------------------------------------------------------

# The mirror that this system's own apt uses, for releases (debian) or for
# security updates (debian-security); ENVME_MIRROR and
# ENVME_SECURITY_MIRROR override.
debian_mirror() {
    local uri=${ENVME_MIRROR:-}
    if [ -z "$uri" ]; then
        uri=$(apt_index_uris | awk '$2 !~ /-security$/ {print $1; exit}')
    fi
    [ -n "$uri" ] || die "the system's apt sources name no Debian mirror:" \
        "set ENVME_MIRROR to one"
    printf '%s\n' "${uri%/}"
}

debian_security_mirror() {
    local uri=${ENVME_SECURITY_MIRROR:-}
    if [ -z "$uri" ]; then
        uri=$(apt_index_uris | awk '$2 ~ /-security$/ {print $1; exit}')
    fi
    if [ -z "$uri" ]; then
        # A mirror that carries /debian has /debian-security beside it.
        uri=$(debian_mirror)-security || return
    fi
    printf '%s\n' "${uri%/}"
}

apt_index_uris() {
    # REPO_URI and RELEASE of every source of Debian's own, old or new style.
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 2>/dev/null |
        awk '$3 == "main" && $1 !~ /^cdrom:/ &&
             $2 ~ /^(bookworm|trixie|forky|sid|stable|oldstable|testing|unstable)(-security)?$/'
}

# private_apt [-a ARCH] SUITE...
# Makes a private apt configuration and prints its file, to be used as
# APT_CONFIG.  The system's own sources are left alone.  SUITE is a suite's
# name (trixie, bookworm-backports, sid, trixie-security ...) for packages,
# SUITE/src for source packages.  The lists are fetched when they are absent
# or older than a week.
private_apt() {
    local arch='' s
    if [ "$1" = -a ]; then
        arch=$2
        shift 2
    fi
    have apt-get || die "there is no apt-get on this system"
    local native name dir uri kind suite
    native=$(dpkg --print-architecture)
    arch=${arch:-$native}
    name=$(printf '%s_' "$arch" "$@")
    name=${name//\//-}
    dir=$ENVME_CACHE/apt/${name%_}
    mkdir -p "$dir/cache/archives/partial" "$dir/state" \
        "$ENVME_CACHE/apt/lists/partial"
    for s in "$@"; do
        kind=deb
        suite=$s
        case $s in */src) kind=deb-src; suite=${s%/src} ;; esac
        case $suite in
        *-security) uri=$(debian_security_mirror) || return ;;
        *) uri=$(debian_mirror) || return ;;
        esac
        printf '%s [%ssigned-by=%s] %s %s main\n' "$kind" \
            "$([ "$kind" = deb ] && printf 'arch=%s ' "$arch")" \
            /usr/share/keyrings/debian-archive-keyring.gpg "$uri" "$suite"
    done >"$dir/sources.list.$$"
    # Foreign packages are only ever downloaded, never installed.
    local status=/var/lib/dpkg/status
    if [ "$arch" != "$native" ]; then
        status=$dir/status
        : >"$status"
    fi
    cat >"$dir/apt.conf.$$" <<CONF
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$dir/state";
Dir::State::status "$status";
Dir::State::Lists "$ENVME_CACHE/apt/lists";
Dir::Cache "$dir/cache";
Dir::Cache::archives "$dir/cache/archives";
APT::Architecture "$native";
APT::Architectures { "$native"; $([ "$arch" = "$native" ] ||
    printf '"%s";' "$arch") };
APT::Sandbox::User "root";
APT::Get::List-Cleanup "0";
APT::Update::Post-Invoke-Success "";
Acquire::Languages "none";
CONF
    if ! cmp -s "$dir/sources.list.$$" "$dir/sources.list"; then
        rm -f "$dir/updated"
    fi
    mv "$dir/sources.list.$$" "$dir/sources.list"
    mv "$dir/apt.conf.$$" "$dir/apt.conf"
    if [ -z "$(find "$dir/updated" -mtime -7 2>/dev/null)" ]; then
        with_lock apt-lists private_apt_update "$dir/apt.conf" "$*" >&2 ||
            die "the package lists of $* could not be fetched"
    fi
    printf '%s\n' "$dir/apt.conf"
}

private_apt_update() {
    local conf=$1
    progress "fetching the package lists of $2" \
        env APT_CONFIG="$conf" apt-get -q -o APT::Update::Error-Mode=any update ||
        return 1
    : >"$(dirname "$conf")/updated"
}

# private_apt_run CONF COMMAND...
# Runs an apt command under a private configuration.  When it fails, the
# lists may be out of date (the mirror has moved on): fetched anew, once.
private_apt_run() {
    local conf=$1
    shift
    APT_CONFIG=$conf "$@" && return 0
    with_lock apt-lists private_apt_update "$conf" "$(basename \
        "$(dirname "$conf")")" >&2 || return 1
    APT_CONFIG=$conf "$@"
}

# download_debs DIR CONF PACKAGE[:ARCH][=VERSION]...
# Downloads packages (not their dependencies) into DIR.
download_debs() {
    local dir=$1 conf=$2
    shift 2
    mkdir -p "$dir"
    (cd "$dir" && private_apt_run "$conf" apt-get -q download "$@" >&2)
}

debian_codename() {
    # shellcheck disable=SC1091
    (. /etc/os-release 2>/dev/null && printf '%s\n' "${VERSION_CODENAME:-}")
}

# The python that QEMU's configure is to use: the system's own, not one that
# happens to come first in PATH and lacks the system's modules.
ENVME_PYTHON=/usr/bin/python3
[ -x "$ENVME_PYTHON" ] || ENVME_PYTHON=$(command -v python3 || echo python3)

# recent_meson: QEMU needs meson 1.5, which Debian 12 has only in backports.
# Installs meson, and where that is too old unpacks the newer one into the
# cache, without touching the system's.  Prints the value that PYTHONPATH
# needs (nothing where the system's meson will do).
recent_meson() {
    need_packages meson ninja-build python3
    if version_ge "$(env -u PYTHONPATH "$ENVME_PYTHON" /usr/bin/meson \
        --version)" 1.5; then
        return 0
    fi
    cache_make meson recent_meson_unpack >&2 ||
        die "meson 1.5 or later could not be got"
    printf '%s\n' "$(cache_dir meson)/usr/lib/python3/dist-packages"
}

recent_meson_unpack() {
    local dir=$1 conf
    conf=$(private_apt "$(debian_codename)-backports") || return
    download_debs "$dir/deb" "$conf" meson || return
    dpkg-deb -x "$dir"/deb/meson_*.deb "$dir" || return
    [ -d "$dir/usr/lib/python3/dist-packages/mesonbuild" ] ||
        mv "$dir"/usr/share/meson/* "$dir/usr/lib/python3/dist-packages/"
}

# --- kvm ------------------------------------------------------------------------

# can_use_kvm QEMU: really runs firmware on KVM; the presence of /dev/kvm says
# nothing.  A KVM that runs firmware may still fail on a kernel, which only
# booting one tells (scripts/guest-lib does).
can_use_kvm() {
    local log rc=1 pid tries=0
    [ -w /dev/kvm ] || return 1
    log=$(mktemp "$ENVME_CACHE/log/kvm.XXXXXX")
    timeout 20 "$1" -accel kvm -M q35 -nodefaults -display none \
        -debugcon "file:$log" -global isa-debugcon.iobase=0x402 \
        >/dev/null 2>&1 </dev/null &
    pid=$!
    while [ $((tries += 1)) -le 100 ]; do
        # SeaBIOS has found its machine and goes on to look for a disk.
        if grep -q 'Searching bootorder' "$log"; then
            rc=0
            break
        fi
        kill -0 $pid 2>/dev/null || break
        sleep 0.1
    done
    kill $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    rm -f "$log"
    return $rc
}
