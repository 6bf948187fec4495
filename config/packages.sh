# The Debian packages Headgate needs, in one place; sourced by gateway/run and tests/run.
# shellcheck shell=bash

# To build and to run.
HG_PACKAGES=(build-essential cmake ninja-build pkg-config libwebsockets-dev libwebsockets-evlib-uv libssl-dev
    libhiredis-dev libjansson-dev libuv1-dev zlib1g-dev redis-server cmark-gfm)
# To test. libtest-json-schema-acceptance-perl holds the JSON Schema Test Suite (of Debian's package json-schema-test-suite the drafts
# are too old). The run-time library of clang's sanitizers and fuzzers carries clang's version in its name; see hg_install.
HG_TEST_PACKAGES=(libcmocka-dev clang llvm clang-format valgrind chromium chromium-driver python3 python3-pytest
    python3-websockets python3-redis python3-selenium iproute2 openssl libtest-json-schema-acceptance-perl)

# Those of the named packages that are not installed.
hg_missing() {
    local installed name
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true)
    for name in "$@"; do
        grep -qxF -- "$name" <<<"$installed" || printf '%s\n' "$name"
    done
}

# The package with the run-time library of Debian's clang, whichever version that is.
hg_clang_runtime() {
    local version=
    if [ -x /usr/bin/clang ]; then
        version=$(/usr/bin/clang -dumpversion)
    else
        version=$(apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: clang-\([0-9][0-9]*\)$/\1/p')
    fi
    [ -z "$version" ] || printf 'libclang-rt-%s-dev\n' "${version%%.*}"
}

# Installs what is missing of the named packages. The word "clang-runtime" stands for hg_clang_runtime's. Touches neither apt nor the
# network when nothing is missing. Asks once when somebody sits at a terminal, else just says what it does.
hg_install() {
    local wanted=() name missing answer sudo=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "This is no Debian: please see to it yourself that what these packages hold is there: $*" >&2
        return 0
    fi
    for name in "$@"; do
        [ "$name" != clang-runtime ] || continue
        wanted+=("$name")
    done
    mapfile -t missing < <(hg_missing "${wanted[@]}")
    if [[ " $* " == *" clang-runtime "* ]]; then
        name=$(hg_clang_runtime)
        if [ -z "$name" ]; then
            missing+=(clang-runtime) # known only after apt-get update
        elif [ -n "$(hg_missing "$name")" ]; then
            missing+=("$name")
        fi
    fi
    [ ${#missing[@]} -gt 0 ] || return 0

    echo "Missing Debian packages: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Neither root nor sudo: please install them as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        sudo=(sudo)
        [ -t 0 ] || sudo=(sudo -n)
    fi
    if [ -t 0 ] && [ -t 1 ]; then
        read -r -p "Install them with apt-get? [Y/n] " answer
        case $answer in
        '' | [yY]*) ;;
        *)
            echo "Nothing was installed." >&2
            return 1
            ;;
        esac
    fi
    echo "Installing them with apt-get."
    local log
    log=$(mktemp)
    if ! "${sudo[@]}" apt-get -q update >"$log" 2>&1 </dev/null; then
        tail -20 "$log" >&2
        echo "apt-get update failed; trying with the lists that are there." >&2
    fi
    wanted=()
    for name in "${missing[@]}"; do
        [ "$name" != clang-runtime ] || name=$(hg_clang_runtime)
        [ -z "$name" ] || wanted+=("$name")
    done
    if ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${wanted[@]}" \
        >"$log" 2>&1 </dev/null; then
        tail -40 "$log" >&2
        rm -f "$log"
        echo "apt-get could not install them." >&2
        return 1
    fi
    rm -f "$log"
}
