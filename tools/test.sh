# Sourced by dio: runs the tests.
#
# Each runner prints its own words; at the very end stands the sum of all, for machines to read.

passed=0
failed=0
skipped=0
started=0
python=

command_test() {
    local results=$root/build/test name
    [[ ${#arguments[@]} -gt 0 ]] || arguments=(unit system)
    [[ ${#options_given[@]} -eq 0 || ${arguments[*]} != unit ]] ||
        fail "${options_given[0]%%=*}: unit tests run on no machine, see ./dio help"
    setup build run test
    rm -rf "$results"
    mkdir -p "$results"
    python_find
    cd "$root"
    if tests_build; then
        for name in "${arguments[@]}"; do
            tests_named "$name"
        done
    else
        say "what is to be tested does not build"
        count 0 1 0
    fi
    [[ $((passed + failed + skipped)) -gt 0 ]] || say "no test is named so, or none of them runs on such a machine"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}

# soak [SECONDS] [--seed N]: on both widths and both back ends, unless told.
command_soak() {
    at_most 1
    [[ ${arguments[0]-1} =~ ^[1-9][0-9]*$ ]] || fail "soak: ${arguments[0]}: is no number of seconds"
    setup build run test
    python_find
    guests_set_up_all
    build all payloads
    "$python" -B "$root/tests/system/soak.py" ${options_given[@]+"${options_given[@]}"} ${arguments[@]+"${arguments[@]}"}
}

# What the tests asked for need, and no more: one unit test is there in seconds.
tests_build() {
    local name needs=()
    for name in "${arguments[@]}"; do
        mapfile -t -O "${#needs[@]}" needs < <(test_needs "$name")
    done
    case " ${needs[*]-} " in *" guests "*) guests_set_up_all ;; esac
    [[ ${#needs[@]} -eq 0 ]] || build "${needs[@]/#guests/all}"
}

test_needs() {
    local test
    case $1 in
    unit) printf '%s\n' unit fuzz all ;;
    system) printf '%s\n' all payloads test-programs guests ;;
    *)
        for test in tests/unit/test_*"$1"*.c; do
            [[ ! -e $test ]] || printf 'build/unit/gcc/%s\n' "$(basename "$test" .c)"
            ! on_rv32 "$test" || printf 'build/unit/rv32/%s\n' "$(basename "$test" .c)"
        done
        for test in tests/fuzz/fuzz_*"$1"*.c; do
            [[ ! -e $test ]] || printf 'build/fuzz/%s\n' "$(basename "$test" .c)"
        done
        pytest_files "$1" | while read -r test; do
            echo all
            [[ $test != tests/system/* ]] || printf '%s\n' payloads test-programs
            ! grep -qE '\b(linux|debian|soak_capsules)\(' "$test" || echo guests
        done
        ;;
    esac
}

# The files of the Python tests whose names hold NAME.
pytest_files() {
    DIOSIX_TEST_OPTIONS="${options_given[*]-}" "$python" -B -m pytest -p no:cacheprovider -q --collect-only -k "$1" \
        tests/unit tests/system </dev/null 2>/dev/null | sed -n 's/^\(tests\/[^:]*\.py\)::.*/\1/p' | sort -u
}

tests_named() {
    case $1 in
    unit)
        format_run
        side_by_side pytest_run unit tests/unit
        unit_run ''
        fuzz_run ''
        side_by_side_end
        ;;
    system) pytest_run system tests/system ;;
    *)
        unit_run "$1"
        fuzz_run "$1"
        side_by_side_end
        pytest_run "$1" tests/unit tests/system -k "$1"
        ;;
    esac
}

# The first python3 that has the test packages: another may come first in the path.
python_find() {
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import pytest, pexpect, xdist' 2>/dev/null && return
    done
    fail "no python3 that has pytest, pytest-xdist and pexpect"
}

# Skipped where there is no clang-format whose version is known.
format_run() {
    local output=$root/build/test/format.log status=0
    build check-format >"$output" 2>&1 || status=$?
    if grep -q '^the format is not checked' "$output"; then
        count 0 0 1
        printf '%-32s skipped\n' format
    else
        count $((status == 0)) $((status != 0)) 0
        printf '%-32s %d passed, %d failed\n' format $((status == 0)) $((status != 0))
    fi
    [[ $status -eq 0 ]] || cat "$output"
}

# side_by_side COMMAND...: in the background, as many at once as there are processors. Each says and counts what it has
# to when it has ended.
side_by_side() {
    [[ $started -ne 0 ]] || rm -f "$root/build/test/counts" # of a run that was broken off
    [[ $(jobs -rp | wc -l) -lt $(nproc) ]] || wait -n || true
    started=$((started + 1))
    (
        passed=0 failed=0 skipped=0
        told=$root/build/test/$BASHPID.told
        "$@" >"$told"
        echo "$passed $failed $skipped" >>"$root/build/test/counts"
        cat "$told"
        rm "$told"
    ) &
}

# One that left no counts has come to grief.
side_by_side_end() {
    local counts=$root/build/test/counts line
    wait
    : >>"$counts"
    while read -r line; do
        count $line
        started=$((started - 1))
    done <"$counts"
    rm "$counts"
    count 0 "$started" 0
    started=0
}

unit_run() {
    local test
    for test in "$root"/tests/unit/test_*"$1"*.c; do
        [[ ! -e $test ]] || side_by_side unit_run_one "$(basename "$test" .c)" '' "$root/build/unit/gcc/$(basename "$test" .c)"
        ! on_rv32 "$test" || side_by_side unit_run_one "$(basename "$test" .c)" ' (32)' qemu-system-riscv32 -machine virt -m 1G \
            -nographic -monitor none -serial none -bios none -semihosting-config enable=on,target=native \
            -kernel "$root/build/unit/rv32/$(basename "$test" .c)"
    done
}

# Is a unit test run on a bare RV32 hart, too?
on_rv32() {
    [[ -e $1 ]] && ! grep -q '^// width: 64' "$1"
}

# unit_run_one NAME SUFFIX COMMAND... CMocka prints TAP; a program that dies, by a sanitizer or a signal, counts as one failure more.
unit_run_one() {
    local name=$1$2 output=$root/build/test/$1$2.tap status=0 good bad not
    shift 2
    CMOCKA_MESSAGE_OUTPUT=TAP timeout 120 "$@" >"$output" 2>&1 </dev/null || status=$?
    good=$(grep -cE '^ok ' "$output" || true)
    not=$(grep -ciE '^(not )?ok .*# skip' "$output" || true)
    bad=$(grep -cE '^not ok ' "$output" || true)
    [[ $status -eq 0 || $bad -gt 0 ]] || bad=1
    count $((good - not)) "$bad" "$not"
    printf '%-32s %d passed, %d failed\n' "$name" "$((good - not))" "$bad"
    [[ $bad -eq 0 ]] || cat "$output"
}

# Not to find new bugs but to see that the targets work and that old finds stay fixed.
fuzz_run() {
    local test
    for test in "$root"/tests/fuzz/fuzz_*"$1"*.c; do
        [[ ! -e $test ]] || side_by_side fuzz_run_one "$(basename "$test" .c)"
    done
}

fuzz_run_one() {
    local name=$1 output=$root/build/test/$1.log status=0
    mkdir -p "$root/build/fuzz/corpus/$name"
    "$root/build/fuzz/$name" -runs=200000 -max_total_time=4 -timeout=20 -close_fd_mask=1 \
        -artifact_prefix="$root/build/fuzz/$name-" "$root/build/fuzz/corpus/$name" \
        $(ls -d "$root/tests/fuzz/corpus/$name" 2>/dev/null) >"$output" 2>&1 </dev/null || status=$?
    count $((status == 0)) $((status != 0)) 0
    printf '%-32s %s\n' "$name" "$(sed -n 's/^Done /passed: /p' "$output" | tail -n 1)"
    [[ $status -eq 0 ]] || cat "$output"
}

# pytest_run KIND FOLDER... [-k NAME]. The options given reach the tests in DIOSIX_TEST_OPTIONS.
pytest_run() {
    local report=$root/build/test/$1.xml status=0 words=() word
    shift
    for word; do
        [[ $word != tests/* || -n $(compgen -G "$word/test_*.py") ]] && words+=("$word")
    done
    [[ ${words[0]-} == tests/* ]] || return 0
    [[ ${words[*]} != tests/system ]] || words+=(-n "$(at_once)")
    DIOSIX_TEST_OPTIONS="${options_given[*]-}" "$python" -B -m pytest -p no:cacheprovider -q --junitxml="$report" \
        "${words[@]}" </dev/null || status=$?
    # 5: no test of that name here.
    if [[ $status -le 1 || $status -eq 5 ]]; then
        count $("$python" "$root/tools/junit_sum.py" "$report")
    else
        count 0 1 0
    fi
}

# A test mostly keeps one processor busy, with one hart of its machine; of few, one mostly waits.
at_once() {
    local processors
    processors=$(nproc)
    echo $((processors < 4 ? processors + 1 : 4))
}

count() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}
