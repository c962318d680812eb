# Sourced by dio: boots a machine.

command_run() {
    local manifest bundle saved='' status=0
    at_most 1
    manifest=${arguments[0]-$root/manifests/default.yaml}
    [[ -f $manifest ]] || fail "$manifest: no such manifest"
    setup build run
    guests_set_up "$manifest"
    build --quiet hypervisor tools
    bundle=$(bundle_of "$manifest") || exit 1
    [[ ! -t 0 ]] || saved=$(stty -g)
    machine_start "$bundle" || status=$?
    [[ -z $saved ]] || stty "$saved"
    return $status
}

# Prints the bundle that is to be booted: the one given, or that of the manifest given.
bundle_of() {
    local bundle=$root/build/run/$option_arch.itb
    if bundle_is "$1"; then
        printf '%s\n' "$1"
        return
    fi
    mkdir -p "$root/build/run"
    "$root/build/tools/pack" --arch "$option_arch" "$1" -o "$bundle" >&2 && printf '%s\n' "$bundle"
}

bundle_is() {
    [[ $(od -An -tx1 -N4 "$1" | tr -d ' \n') == d00dfeed ]]
}

# QEMU's own keys and signals stay off, so that all keys, Ctrl-C too, go to the machine.
machine_start() {
    local first machine
    first=$(fdtget "$1" /configurations default 2>/dev/null || true)
    machine=(
        "qemu-system-riscv${option_arch#rv}" -machine "$option_machine" -smp "$option_harts" -m "$option_memory"
        -display none -monitor none -chardev stdio,id=console,signal=off,mux=off -serial chardev:console
        -bios none -kernel "$root/build/$option_arch/diosix.elf" -initrd "$1"
        -append "isolation=$option_isolation${first:+ console=attach:$first}"
    )
    [[ -z $option_cpu ]] || machine+=(-cpu "$option_cpu")
    [[ -z $option_timeout ]] || machine=(timeout --foreground "$option_timeout" "${machine[@]}")
    eval "machine+=($option_qemu_args)"
    "${machine[@]}"
}
