# Sourced by dio: gets the guests of the bundled manifests into the cache, from where build/guests/ has
# them. For RV64 they are Debian's own; there is no Debian for RV32, so those are built, once.

# A manifest that names none of them needs none.
guests_set_up() {
    local arch
    [[ -f $1 ]] || return 0
    for arch in rv64 rv32; do
        ! grep -q "build/guests/$arch/" "$1" || "guests_set_up_$arch"
    done
    ! grep -q build/guests/rv64/u-boot "$1" || guest_loader_set_up
    ! grep -q build/guests/debian/ "$1" || debian_set_up
}

# But for Debian, which takes longer than all else: that is only used where it is.
guests_set_up_all() {
    guests_set_up_rv64
    guest_loader_set_up
    guests_set_up_rv32
    debian_link
}

# --- RV64 ---

guests_set_up_rv64() {
    local dir=$cache/guests/rv64
    [[ -e $dir/linux && -e $dir/modules && -e $dir/busybox ]] || (
        lock_take
        mkdir -p "$dir"
        [[ -e $dir/linux && -e $dir/modules ]] || guest_kernel_get "$dir"
        guest_get busybox-static "the guests' shell and tools" './*bin/busybox' "$dir/busybox"
    )
    build guests-rv64
}

# Boots what is on a disk; a guest's kernel for who has one there.
guest_loader_set_up() {
    local dir=$cache/guests/rv64
    [[ -e $dir/u-boot ]] || (
        lock_take
        mkdir -p "$dir"
        guest_get u-boot-qemu "boots guests from their disks" '*/qemu-riscv64_smode/uboot.elf' "$dir/u-boot"
    )
    build "build/guests/rv64/u-boot"
}

# linux-image-riscv64 is empty and depends on the kernel of the day; linux-source likewise.
guest_kernel_package() {
    package_dependency linux-image-riscv64 linux-image
}

package_dependency() {
    apt_guest_set_up
    apt-cache -c "$cache/apt/guest/apt.conf" depends "$1" | sed -n "s/^ *Depends: \($2-[0-9].*\)$/\1/p" | head -n 1
}

# Drivers that Debian's kernel has as modules, each before those that need it, and their needs.
guest_modules='virtio_mmio virtio_blk virtio-rng failover net_failover:failover virtio_net:net_failover
    virtio_balloon vsock vmw_vsock_virtio_transport_common:vsock
    vmw_vsock_virtio_transport:vmw_vsock_virtio_transport_common crc16 crc32c_generic mbcache jbd2:crc32c_generic
    ext4:crc16,mbcache,jbd2'

# The kernel, and as modules/ what the guests' file system holds of its modules, for busybox's modprobe.
guest_kernel_get() {
    local dir=$1 work name file to
    work=$(work_directory)
    guest_unpack "$(guest_kernel_package)" "the guests' kernel" "$work" './boot/vmlinu*' '*/kernel/*.ko.xz'
    to=$(echo "$work"/usr/lib/modules/*)
    to=$work/made/lib/modules/${to##*/}
    mkdir -p "$to"
    for name in $guest_modules; do
        file=$(find "$work/usr" -name "${name%%:*}.ko.xz")
        [[ $file ]] || fail "the kernel's package holds no module ${name%%:*}"
        mv "$file" "$to"
    done
    guest_modules_tell >"$to/modules.dep"
    printf 'alias %s\n' 'fs-ext4 ext4' 'virtio:d00000001v* virtio_net' 'virtio:d00000002v* virtio_blk' \
        'virtio:d00000004v* virtio-rng' 'virtio:d00000005v* virtio_balloon' \
        'virtio:d00000013v* vmw_vsock_virtio_transport' >"$to/modules.alias"
    mv "$work/package.version" "$dir/linux.version"
    mv "$work"/boot/vmlinu* "$dir/linux"
    rm -rf "$dir/modules"
    mv "$work/made" "$dir/modules"
    rm -rf "$work"
}

# Each line of modules.dep names all that a module needs, what is to be loaded first last.
guest_modules_tell() {
    local name needs all
    for name in $guest_modules; do
        needs='' all=${name#*:},
        [[ $name == *:* ]] || all=''
        while [[ $all ]]; do
            needs+=" ${all%%,*}.ko.xz"
            all=${all#*,}$(guest_module_needs "${all%%,*}")
        done
        echo "${name%%:*}.ko.xz:$needs"
    done
}

guest_module_needs() {
    local name
    for name in $guest_modules; do
        [[ $name != "$1":* ]] || echo "${name#*:},"
    done
}

# guest_unpack PACKAGE WHY FOLDER PATTERN...: files out of a package for riscv64; its name goes to package.version.
guest_unpack() {
    local package=$1 why=$2 work=$3
    shift 3
    apt_guest_set_up
    say "getting $package ($(guest_size "$package")): $why"
    (cd "$work" && apt-get -c "$cache/apt/guest/apt.conf" download -q "$package" </dev/null >&2) ||
        fail "$package could not be had"
    say "unpacking it"
    dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" --wildcards "$@"
    (cd "$work" && ls ./*.deb) | sed 's|^./||' >"$work/package.version"
    rm "$work"/*.deb
}

# guest_get PACKAGE WHY PATTERN FILE: one file out of a package for riscv64.
guest_get() {
    local package=$1 why=$2 pattern=$3 file=$4 work
    [[ ! -e $file ]] || return 0
    work=$(work_directory)
    guest_unpack "$package" "$why" "$work" "$pattern"
    mv "$work/package.version" "$file.version"
    find "$work" -type f -exec mv {} "$file" \;
    rm -rf "$work"
    [[ -e $file ]] || fail "$package holds no $pattern"
}

guest_size() {
    apt-cache -c "$cache/apt/guest/apt.conf" show "$1" | sed -n 's/^Size: //p' | head -n 1 |
        awk '{ printf "%.0f MB", $1 / 1e6 }'
}

# --- RV32 ---
#
# Each part lies in a folder named after a hash of all it is made from, and is made when there is no
# such folder. The names without a hash are links to what this tree wants.

guest32_parts='linux musl busybox'
guest32_dir=$cache/guests/rv32

guests_set_up_rv32() {
    local part
    setup guest32
    guest32_current || (
        lock_take
        guest32_sources_set_up
        for part in $guest32_parts; do
            [[ -d $guest32_dir/$(guest32_folder "$part") ]] || guest32_make "$part"
        done
        guest32_link
    )
    build guests-rv32
}

guest32_sources_set_up() {
    mkdir -p "$cache/src"
    source_get musl musl "the RV32 guests' C library" ''
    source_get busybox busybox "the RV32 guests' shell and tools" ''
    [[ -e $cache/src/linux.tar.xz ]] ||
        guest_get "$(package_dependency linux-source linux-source)" "the RV32 guests' kernel" \
            './usr/src/linux-source-*.tar.xz' "$cache/src/linux.tar.xz"
}

# The folder of a part: the name of what its source, its recipe, the compiler and the part beneath make.
guest32_folder() {
    local part=$1
    {
        riscv64-linux-gnu-gcc --version
        cat "$root/guests/rv32/build-$part" "$cache/src/$part".*version
        case $part in
        linux) cat "$root/guests/rv32/linux.config" ;;
        musl) cat "$root/guests/rv32/build-linux" "$cache"/src/linux.*version ;;
        busybox) cat "$root/guests/rv32/busybox.config" && guest32_folder musl ;;
        esac
    } | sha256sum | sed "s/^\(.\{16\}\).*/$part-\1/"
}

guest32_current() {
    local part
    for part in $guest32_parts; do
        [[ -n $(compgen -G "$cache/src/$part.*version") ]] || return 1
        [[ $(readlink "$guest32_dir/$part") == "$(guest32_folder "$part")"* && -e $guest32_dir/$part ]] || return 1
    done
}

guest32_link() {
    ln -sfn "$(guest32_folder linux)/linux" "$guest32_dir/linux"
    ln -sfn "$(guest32_folder musl)" "$guest32_dir/musl"
    ln -sfn "$(guest32_folder busybox)/busybox" "$guest32_dir/busybox"
    cp "$cache/src/linux.tar.xz.version" "$guest32_dir/linux.version"
    cp "$cache/src/busybox.version" "$guest32_dir/busybox.version"
}

guest32_make() {
    local part=$1 work
    work=$(work_directory)
    "guest32_make_$part" "$work" "$root/guests/rv32/build-$part"
    mkdir -p "$guest32_dir"
    rm -rf "$work/made/build"
    mv "$work/made" "$guest32_dir/$(guest32_folder "$part")"
    rm -rf "$work"
}

# Without what no small kernel is made of, half of the tree.
guest32_make_linux() {
    local work=$1 recipe=$2
    say "unpacking the kernel's source"
    mkdir "$work/source"
    tar -xf "$cache/src/linux.tar.xz" -C "$work/source" --strip-components=1 --exclude='*/Documentation/[a-z]*' \
        --exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/media/*.[ch]' --exclude='*/sound/*.[ch]' \
        --exclude='*/drivers/net/ethernet/*.[ch]' --exclude='*/drivers/net/wireless/*.[ch]' \
        --exclude='*/arch/*/boot/dts' --exclude='*/tools/testing' --exclude='*/tools/perf'
    steps 2300 "building an RV32 kernel, once: this takes some minutes" "$recipe" "$work/source" "$work/made"
}

guest32_make_musl() {
    steps 1700 "building an RV32 C library" "$2" "$cache/src/musl" "$guest32_dir/$(guest32_folder linux)/headers" "$1/made"
}

guest32_make_busybox() {
    steps 900 "building an RV32 shell and tools" "$2" "$cache/src/busybox" \
        "$guest32_dir/$(guest32_folder musl)/bin/rv32-gcc" "$1/made"
}

# steps ABOUT WHAT COMMAND...: runs what prints ABOUT as many lines, and says at times how far it is.
steps() {
    local about=$1 what=$2 log=$cache/build.log
    shift 2
    say "$what"
    nice "$@" 2>&1 </dev/null | awk -v log_file="$log" -v about="$about" '
        { print >log_file }
        NR < about && 100 * NR / about >= told + 10 { printf "dio:   %d %%\n", told += 10 >"/dev/stderr"; fflush() }
    ' || {
        tail -n 20 "$log" >&2
        fail "that went wrong; all its words are in $log"
    }
}
