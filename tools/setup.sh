# Sourced by dio: gets what is missing, and nothing else.
#
# Everything comes through apt, but through configurations of our own in the cache, so that suites
# can be used that the system does not: `host` installs packages here, `guest` looks at Debian for
# riscv64, from which it downloads and unpacks without installing. /etc/apt is read, never written.
# Downloads are checked by apt against the distribution's keys.

guest_suite=trixie
guest_suite_other=stable # the same by its role, as long as it is that
host_keyrings=/usr/share/keyrings
qemu_oldest=8

setup() {
    [[ -n $(packages_missing "$@") ]] && packages_install "$@"
    sources_set_up "$@"
}

# The lines of tools/packages for these kinds of work.
packages_needed() {
    local kinds=" $* " kind rest
    while read -r kind rest; do
        [[ $kinds == *" $kind "* ]] && printf '%s\n' "$rest"
    done <"$root/tools/packages"
    return 0
}

packages_installed() {
    dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^ii *//p'
}

# Those of them that are not there, in the same form. A QEMU that is new enough may come from anywhere.
packages_missing() {
    local names rest name installed
    command -v dpkg-query >/dev/null || return 0
    installed=" $(packages_installed | tr '\n' ' ') "
    packages_needed "$@" | while read -r names rest; do
        if [[ $names == qemu-system* ]]; then
            qemu_suffices || printf '%s %s\n' "$names" "$rest"
            continue
        fi
        for name in ${names//|/ }; do
            [[ $installed != *" $name "* ]] || continue 2
        done
        printf '%s %s\n' "$names" "$rest"
    done
}

qemu_suffices() {
    local version
    version=$(qemu-system-riscv64 --version 2>/dev/null) || return 1
    [[ $version =~ version\ ([0-9]+)\. && ${BASH_REMATCH[1]} -ge $qemu_oldest ]]
}

packages_install() (
    local lines names why name chosen=()
    lines=$(packages_missing "$@")
    lock_take
    apt_host_set_up
    say "packages to install:"
    while read -r names why; do
        name=$(package_choose "$names")
        say "  $name: $why"
        [[ " ${chosen[*]-} " == *" $name "* ]] || chosen+=("$name")
    done <<<"$lines"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -c "$cache/apt/host/apt.conf" install -y -q "${chosen[@]}" </dev/null >&2 ||
        fail "the packages could not be installed: see apt's words above"
    as_root apt-get -c "$cache/apt/host/apt.conf" clean || true
    lines=$(packages_missing "$@")
    [[ -z $lines ]] || fail "the distribution's ${lines%% *} does not suffice: see tools/packages"
)

package_choose() {
    local name
    for name in ${1//|/ }; do
        if [[ -n $(apt-cache -c "$cache/apt/host/apt.conf" show --no-all-versions "$name" 2>/dev/null) ]]; then
            printf '%s\n' "$name"
            return
        fi
    done
    fail "this distribution has no package $1: Debian 12, 13 and Ubuntu 24.04 are supported"
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        fail "root is needed to install packages: run ./dio as root once, or install sudo"
    elif [[ -t 0 && -t 2 ]]; then
        sudo "$@"
    else
        sudo -n true || fail "root is needed to install packages, and sudo wants a password: run ./dio as root once"
        sudo -n "$@"
    fi
}

# One at a time: two dio in two terminals share the cache. Held by the subshell it is called in.
lock_take() {
    [[ -z ${lock_held-} ]] || return 0
    lock_held=1
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock -n 9 || { say "waiting for another dio to finish its set-up"; flock 9; }
}

# --- apt configurations of our own ---

distribution() {
    (. /etc/os-release && printf '%s\n' "${!1-}")
}

# What apt fetches from, as `URI SUITE COMPONENT` lines.
apt_targets() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        grep -v '^cdrom:' | sort -u
}

# The sources of a distribution's own suites: the stable suite may go by its name or by its role.
apt_host_sources() {
    local codename keyring uri suite component
    codename=$(distribution VERSION_CODENAME)
    keyring=$host_keyrings/$(distribution ID)-archive-keyring.gpg
    apt_targets | while read -r uri suite component; do
        case $suite in
        "$codename" | "$codename"[-/]* | stable | stable[-/]*)
            printf 'deb [signed-by=%s target=Packages] %s %s %s\n' "$keyring" "$uri" "$suite" "$component" ;;
        esac
    done
    [[ $codename != bookworm ]] ||
        printf 'deb [signed-by=%s target=Packages] %s bookworm-backports main\n' "$keyring" "$(apt_mirror)"
}

# The mirror that has the distribution's main suite.
apt_mirror() {
    local codename uri suite component
    codename=$(distribution VERSION_CODENAME)
    while read -r uri suite component; do
        if [[ ($suite == "$codename" || $suite == stable) && $component == main ]]; then
            printf '%s\n' "$uri"
            return
        fi
    done < <(apt_targets)
    fail "apt's configuration names no mirror for $codename: add it there"
}

# Writes what the configurations have in common: apt_configure NAME, more lines on standard input.
apt_configure() {
    local dir=$cache/apt/$1
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    cat - >"$dir/apt.conf" <<END
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "$dir/preferences";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Dpkg::Use-Pty "0";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
}

apt_update() {
    local dir=$cache/apt/$1
    apt-get -c "$dir/apt.conf" update -q --error-on=any </dev/null >"$dir/update.log" 2>&1 && return
    cat "$dir/update.log" >&2
    return 1
}

apt_host_set_up() {
    local dir=$cache/apt/host
    command -v apt-get >/dev/null || fail "this is no Debian or Ubuntu: install by hand what tools/packages lists"
    say "looking at what $(distribution PRETTY_NAME) offers"
    apt_configure host
    apt_host_sources >"$dir/sources.list"
    # Backports are taken only for what is too old without them.
    cat >"$dir/preferences" <<'END'
Package: qemu-system-riscv qemu-system-common qemu-system-data opensbi
Pin: release n=bookworm-backports
Pin-Priority: 990
END
    apt_update host || say "not all of it could be read; going on with what there is"
}

# Debian's own packages for riscv64 and its sources, whatever this system is.
apt_guest_set_up() {
    local dir=$cache/apt/guest mirror keyring=$host_keyrings/debian-archive-keyring.gpg
    # A day later the lists may name what is no longer there.
    [[ -z $(find "$dir/done" -mtime -1 2>/dev/null) ]] || return 0
    command -v apt-get >/dev/null || fail "apt-get is needed to get guest packages, this is no Debian or Ubuntu"
    [[ -e $keyring ]] || packages_install guest
    mirror=$(debian_mirror)
    say "looking at what Debian's $guest_suite offers for riscv64, at $mirror"
    apt_configure guest
    : >"$dir/status"
    : >"$dir/preferences"
    cat >>"$dir/apt.conf" <<END
Dir::State::status "$dir/status";
APT::Architecture "riscv64";
#clear APT::Architectures;
APT::Architectures { "riscv64"; };
END
    apt_guest_update "$guest_suite" "$mirror" "$keyring" || apt_guest_update_other "$mirror" "$keyring" ||
        fail "Debian's $guest_suite can't be read; DIOSIX_DEBIAN_MIRROR=URI names another mirror"
    : >"$dir/done"
}

apt_guest_update() {
    local suite=$1 mirror=$2 keyring=$3 kind
    for kind in 'deb Packages' 'deb-src Sources'; do
        printf '%s [signed-by=%s target=%s] %s %s main\n' "${kind% *}" "$keyring" "${kind#* }" "$mirror" "$suite"
    done >"$cache/apt/guest/sources.list"
    apt_update guest
}

# A mirror that is being brought up to date, or a cache before it, may have an old list under one name of
# the suite and all that belongs to it under the other.
apt_guest_update_other() {
    say "trying the same by its other name, $guest_suite_other"
    apt_guest_update "$guest_suite_other" "$@" || return
    apt-cache -c "$cache/apt/guest/apt.conf" policy | grep -q "n=$guest_suite\b" && return
    say "$guest_suite_other is no longer $guest_suite"
    return 1
}

# On Debian, where the system's own packages come from; elsewhere, what debootstrap would use.
debian_mirror() {
    if [[ -n ${DIOSIX_DEBIAN_MIRROR-} ]]; then
        printf '%s\n' "$DIOSIX_DEBIAN_MIRROR"
    elif [[ $(distribution ID) == debian ]]; then
        apt_mirror
    else
        sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' "$(command -v debootstrap)" | head -n 1
    fi
}

# --- third-party source ---

sources_set_up() {
    local test=
    [[ " $* " != *" test "* ]] || test=cmocka
    [[ -d $cache/src/libfdt && -d $cache/src/bearssl && -d $cache/src/$test ]] || (
        lock_take
        source_get libfdt device-tree-compiler 'reads and writes device trees' /libfdt
        source_get bearssl bearssl 'SHA-256 for bundles' ''
        [[ -z $test ]] || source_get cmocka cmocka 'unit tests on RV32' ''
    )
}

# source_get NAME PACKAGE WHY PART: the source package's tarball, or the part of it that is wanted.
source_get() {
    local name=$1 package=$2 why=$3 part=$4 work
    [[ ! -d $cache/src/$name ]] || return 0
    apt_guest_set_up
    say "getting the source of $package: $why"
    work=$(work_directory)
    (cd "$work" && apt-get -c "$cache/apt/guest/apt.conf" source -q --download-only --tar-only --only-source \
        "$package" </dev/null >&2) || fail "the source of $package could not be had"
    mkdir "$work/tree"
    tar -xf "$work"/*.tar.* -C "$work/tree" --strip-components=1
    mkdir -p "$cache/src"
    (cd "$work" && ls ./*.tar.*) | sed 's|^./||' >"$cache/src/$name.version"
    mv "$work/tree$part" "$cache/src/$name"
    rm -rf "$work"
}

# Whoever asks holds the lock: what is there is left of one that was interrupted.
work_directory() {
    rm -rf "$cache/work"
    mkdir -p "$cache/work"
    mktemp -d "$cache/work/XXXXXX"
}
