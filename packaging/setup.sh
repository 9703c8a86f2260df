# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by packaging/run, packaging/test and .ci/run: finds the checkout, installs what is missing,
# configures and builds the release preset. Safe to run again and again, from any folder.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '%s\n' "$*" >&2; }

# The package names in the given list files, without comments.
package_list() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@" | tr -d '[:blank:]'
}

# Says what is needed and stops.
stop_with_list() {
    say "$1"
    say "Gatescope needs these packages (names as in Debian 12):"
    printf '    %s\n' "${@:2}" >&2
    exit 1
}

is_debian_family() {
    local ID="" ID_LIKE=""
    # shellcheck disable=SC1091
    [ -r /etc/os-release ] && . /etc/os-release
    case " $ID $ID_LIKE " in
        *" debian "* | *" ubuntu "*) ;;
        *) return 1 ;;
    esac
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null && command -v apt-cache >/dev/null
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_missing LIST_FILE...: installs by name what the lists hold and the machine does not.
install_missing() {
    local -a wanted missing=() unknown=() as_root=()
    local package
    mapfile -t wanted < <(package_list "$@")
    is_debian_family ||
        stop_with_list "This is not Debian or one of its children, so nothing was installed." "${wanted[@]}"
    for package in "${wanted[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0

    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            stop_with_list "Some packages are missing, and installing them takes root or sudo." "${missing[@]}"
        as_root=(sudo)
    fi
    say "Installing: ${missing[*]}"
    "${as_root[@]}" apt-get update -q >&2 || say "apt-get update failed; trying with the lists that are here."
    for package in "${missing[@]}"; do
        apt-cache show "$package" >/dev/null 2>&1 || unknown+=("$package")
    done
    [ ${#unknown[@]} -eq 0 ] ||
        stop_with_list "This system's package lists do not have: ${unknown[*]}." "${wanted[@]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

# configure PRESET: a build folder that belongs to another checkout (a moved or copied tree) is begun anew.
configure() {
    local cache="$root/build/$1/CMakeCache.txt" fresh=()
    if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
        fresh=(--fresh)
    fi
    (cd "$root" && cmake "${fresh[@]}" --preset "$1" >&2)
}

# build PRESET [TARGET...]
build() {
    local preset=$1
    shift
    (cd "$root" && cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"} >&2)
}
