# Sourced by dio: Debian for capsules, on a disk. It is made once, from packages, into the cache, and never written to
# again: each disk that a machine is given is a copy, in a folder that nothing else removes.

debian_cache=$cache/guests/debian
debian_disks=${DIOSIX_DISKS:-${XDG_DATA_HOME:-${HOME:-/}/.local/share}/diosix}/debian

# What build/guests/debian leads to: the image that the user's disks are copies of, whose kernel fits them; else the
# one that this tree makes.
debian_set_up() {
    local image
    [[ $option_arch == rv64 ]] || fail "there is no Debian for 32-bit RISC-V"
    image=$(debian_image)
    [[ -e $debian_cache/$image/disk.img ]] || (
        setup run debian
        guests_set_up_rv64
        lock_take
        [[ -e $debian_cache/$image/disk.img ]] || debian_make "$debian_cache/$image"
    )
    debian_link
}

# Where it has been made; else nothing is there.
debian_link() {
    local image
    image=$(debian_image)
    rm -f "$root/build/guests/debian"
    [[ -e $debian_cache/$image/disk.img ]] || return 0
    mkdir -p "$root/build/guests"
    ln -sfn "$debian_cache/$image" "$root/build/guests/debian"
}

debian_image() {
    local image
    image=$(cat "$debian_disks/image" 2>/dev/null) && [[ -n $image && -e $debian_cache/$image/disk.img ]] ||
        image=$(debian_recipe)
    printf '%s\n' "$image"
}

# Named after a hash of what says how it is made, but for the files that no initial file system uses here.
debian_recipe() {
    (cd "$root/guests" && find debian initrd -type f | LC_ALL=C sort | xargs cat) | sha256sum | cut -c 1-16
}

debian_make() {
    local made=$1 work recipe=$root/guests/debian
    apt_guest_set_up
    work=$(work_directory)
    mkdir -p "$work/archives/partial" "$work/made"
    say "making a disk with Debian's $guest_suite: once, this takes some minutes"
    debian_download "$work"
    say "sorting out the kernel"
    "$recipe/make-modules" "$work/kernel.deb" "$work/made/linux" "$work/modules"
    "$recipe/make-initrd" "$cache/guests/rv64/busybox" "$work/modules" "$work/made/initrd.cpio"
    steps 1100 "unpacking the packages" \
        fakeroot "$recipe/unpack" "$work/archives" "$work/modules" "$work/made/disk.img" 2G
    steps 420 "configuring them, in a machine of their own" \
        "$recipe/first-boot" "$work/made/linux" "$work/made/initrd.cpio" "$work/made/disk.img"
    mkdir -p "${made%/*}"
    rm -rf "$made"
    mv "$work/made" "$made"
    rm -rf "$work"
}

# The packages and all they depend on, as apt resolves it for a system of its own that has nothing yet.
debian_download() {
    local work=$1 packages kernel
    mapfile -t packages < <(grep -v '^ *\(#\|$\)' "$root/guests/debian/packages")
    kernel=$(guest_kernel_package)
    steps 175 "getting the packages" apt-get -c "$cache/apt/guest/apt.conf" -o Dir::Cache::archives="$work/archives" \
        install -y -q --download-only "${packages[@]}"
    say "getting $kernel ($(guest_size "$kernel")): the kernel and its modules"
    (cd "$work" && apt-get -c "$cache/apt/guest/apt.conf" download -q "$kernel" </dev/null >&2) ||
        fail "$kernel could not be had"
    (cd "$work" && ls archives/*.deb ./*.deb) | sed 's|.*/||' >"$work/made/packages"
    mv "$work"/*.deb "$work/kernel.deb"
}

# The disks that a manifest wants for Debian, but for those that --disk gives. A disk that is not there is made.
debian_disks_add() {
    local name given
    [[ -f $1 ]] && grep -q build/guests/debian/ "$1" || return 0
    given=" ${disks[*]-}"
    for name in $(sed -n 's/.*\bhost-disk: *\(debian[A-Za-z0-9._-]*\).*/\1/p' "$1" | sort -u); do
        [[ $given != *" $name="* ]] || continue
        debian_disk_make "$name"
        disks+=("$name=$debian_disks/$name.img")
    done
}

debian_disk_make() {
    local disk=$debian_disks/$1.img
    [[ ! -e $disk ]] || return 0
    say "making $disk, a copy of the cached Debian; it keeps what is written to it"
    mkdir -p "$debian_disks"
    cp --sparse=always --reflink=auto "$root/build/guests/debian/disk.img" "$disk.new"
    basename "$(readlink "$root/build/guests/debian")" >"$debian_disks/image"
    mv "$disk.new" "$disk"
}
