# Sourced by dio: boots a machine.

command_run() {
    local manifest bundle saved='' status=0
    at_most 1
    manifest=$(manifest_find "${arguments[0]-$(manifest_default)}")
    manifest_check "$manifest"
    [[ -z $option_bare ]] || bare_check "$manifest"
    setup build run ${option_bare:+bare}
    [[ -n $option_bare ]] || guests_set_up "$manifest"
    [[ -n $option_bare ]] || debian_disks_add "$manifest"
    build hypervisor tools supervisor programs
    # Alone, a capsule may be one that needs no guest.
    [[ -z $option_bare ]] || first_tell "$manifest" >/dev/null 2>&1 || guests_set_up "$manifest"
    run_folder_make
    [[ -n $option_bare ]] || bundle=$(bundle_of "$manifest") || exit 1
    [[ ! -t 0 ]] || saved=$(stty -g)
    if [[ -n $option_bare ]]; then
        bare_start "$manifest" || status=$?
    else
        machine_start "$bundle" || status=$?
    fi
    [[ -z $saved ]] || stty "$saved"
    return $status
}

# The bundled manifests go by their bare names from anywhere, and the one for the machine's width is taken.
manifest_find() {
    local name
    if [[ ! -e $1 && $1 != */* ]]; then
        for name in "${1%.yaml}-$option_arch.yaml" "$1"; do
            [[ ! -e $root/manifests/$name ]] || { printf '%s\n' "$root/manifests/$name"; return; }
        done
    fi
    printf '%s\n' "$1"
}

# Each run's own, so that several may go on at once; those whose run is gone are in nobody's way.
run_folder_make() {
    local folder
    run_folder=$root/build/run/$$
    for folder in "$root"/build/run/*; do
        [[ -d /proc/${folder##*/} ]] || rm -rf "$folder"
    done
    rm -rf "$run_folder"
    mkdir -p "$run_folder"
    trap 'rm -rf "$run_folder"' EXIT
}

# Before anything is installed or built for it.
manifest_check() {
    [[ ! -d $1 ]] || fail "$1: is a folder, no manifest"
    [[ -e $1 ]] || fail "$1: no such manifest"
    [[ -f $1 ]] || fail "$1: is no file: a manifest is read more than once"
    [[ -r $1 ]] || fail "$1: may not be read"
}

manifest_default() {
    local name=default
    [[ $option_arch == rv64 ]] || name=default-$option_arch
    printf '%s\n' "$root/manifests/$name.yaml"
}

# Prints the bundle that is to be booted: the one given, or that of the manifest given.
bundle_of() {
    local bundle=$run_folder/bundle.itb
    if bundle_is "$1"; then
        printf '%s\n' "$1"
        return
    fi
    pack "$1" "$bundle" >&2 && printf '%s\n' "$bundle"
}

pack() {
    "$root/build/tools/pack" --arch "$option_arch" --terminal "$root/build/$option_arch" "$1" -o "$2"
}

bundle_is() {
    [[ $(od -An -tx1 -N4 "$1" | tr -d ' \n') == d00dfeed ]]
}

# What every machine has. QEMU's own keys and signals stay off, so that all keys, Ctrl-C too, go to the machine.
machine_make() {
    machine=(
        "qemu-system-riscv${option_arch#rv}" -machine "$option_machine" -smp "${option_harts:-$1}" -m "${option_memory:-$2}"
        -display none -monitor none -chardev stdio,id=console,signal=off,mux=off -serial chardev:console
    )
    disks_give
    [[ -z $option_cpu ]] || machine+=(-cpu "$option_cpu")
    [[ -z $option_timeout ]] || machine=(timeout --foreground "$option_timeout" "${machine[@]}")
}

machine_start() {
    local shown machine
    # Until the bundle's console service is there, its capsule's terminal is as it will be then.
    shown=$(fdtget "$1" /configurations terminal 2>/dev/null || true)
    [[ $shown != all && $shown != plain ]] || shown=
    machine_make 4 1G
    uplink_give "$1"
    machine+=(
        -bios none -kernel "$root/build/$option_arch/diosix.elf" -initrd "$1"
        -append "isolation=$option_isolation log=$option_log${shown:+ console=attach:$shown}"
    )
    machine_run
}

# What machine_make and others have put together, and what --qemu-args adds.
machine_run() {
    local extra word
    extra=$(xargs -r printf '%s\n' <<<"$option_qemu_args" 2>/dev/null) || fail "--qemu-args: a quote without its pair"
    [[ -z $extra ]] || while IFS= read -r word; do machine+=("$word"); done <<<"$extra"
    child_run "${machine[@]}"
}

# What makes no sense without the hypervisor.
bare_check() {
    local given
    ! bundle_is "$1" || fail "--bare: takes a manifest, not a bundle"
    for given in ${options_given[@]+"${options_given[@]}"}; do
        [[ $given != --isolation=* && $given != --log=* ]] || fail "${given%%=*}: makes no sense with --bare"
    done
}

# What the manifest's first capsule is, a line for each key.
first_tell() {
    "$root/build/tools/pack" --arch "$option_arch" --first "$1"
}

# The manifest's first capsule as the machine's only system, on QEMU's default firmware.
bare_start() {
    local description key value kernel memory vcores initrd='' cmdline='' machine
    description=$(first_tell "$1") || exit 1
    while read -r key value; do
        printf -v "$key" %s "$value"
    done <<<"$description"
    machine_make "$vcores" "$((memory >> 20))M"
    machine+=(-kernel "$kernel")
    [[ -z $initrd ]] || machine+=(-initrd "$initrd")
    [[ -z $cmdline ]] || machine+=(-append "$cmdline")
    machine_run
}

# Each of them by the name that manifests have for it, its serial number. Virtio as it is since version 1.0.
disks_give() {
    local disk file format number=0
    machine+=(-global virtio-mmio.force-legacy=false)
    for disk in ${disks[@]+"${disks[@]}"}; do
        file=${disk#*=} format=raw
        [[ $file != *.qcow2 ]] || format=qcow2
        machine+=(
            -drive "if=none,id=disk$number,format=$format,file=${file//,/,,}"
            -device "virtio-blk-device,drive=disk$number,serial=${disk%%=*}"
        )
        number=$((number + 1))
    done
}

# A network device for the switch of the bundle that has an uplink, and what leads to it from outside.
uplink_give() {
    local name word netdev=user,id=uplink
    for name in $(fdtget -l "$1" /switches 2>/dev/null || true); do
        fdtget -p "$1" "/switches/$name" | grep -qx uplink || continue
        for word in $(fdtget "$1" "/switches/$name" forward 2>/dev/null || true); do
            [[ $word == *:*:* ]] || word=${word/:/::}
            netdev+=,hostfwd=tcp:127.0.0.1:${word%%:*}-${word#*:}
        done
        machine+=(-netdev "$netdev" -device virtio-net-device,netdev=uplink)
    done
}

# Beside the shell, not in its place: the machine ends when the shell is told to, and the terminal is
# put right even if QEMU dies.
child_run() {
    local child listener status=0 told=0
    mkfifo "$run_folder/words"
    tee "$run_folder/said" <"$run_folder/words" >&2 &
    listener=$!
    "$@" <&0 2>"$run_folder/words" &
    child=$!
    trap 'told=143; kill "$child" 2>/dev/null || true' TERM HUP INT
    wait "$child" || status=$?
    while kill -0 "$child" 2>/dev/null; do
        wait "$child" || status=$?
    done
    wait "$listener" || true
    trap : TERM HUP INT # what is left to do is soon done
    # QEMU takes a signal for a wish, and calls that success.
    [[ $status -ne 0 ]] || status=$(sed -n 's/^qemu-system-[^:]*: terminating on signal \([0-9]*\).*/\1/p' "$run_folder/said" |
        awk '{ signal = $1 } END { print signal ? 128 + signal : 0 }')
    return $((told ? told : status))
}
