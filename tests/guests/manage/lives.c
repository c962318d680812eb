// Children's lives.
#include <string.h>

#include "suite.h"

void life_start_and_end(void)
{
    uint32_t id = child_create("child", "role=shutdown");
    check(id, "not created");
    check(child_status(id).state == DIOSIX_STOPPED && child_status(id).ending == DIOSIX_ENDED_NOT, "not as new");
    check_error(manage_call(DIOSIX_KILL, id, 0, 0), INVALID_STATE);
    check_error(manage_call(DIOSIX_PAUSE, id, 0, 0), INVALID_STATE);
    for (int i = 0; i < 3; i++) {
        check_error(manage_call(DIOSIX_START, id, 0, 0), 0);
        check(child_becomes(id, DIOSIX_STOPPED), "did not end");
        check(child_status(id).ending == DIOSIX_ENDED_SHUTDOWN, "ending %u", (unsigned)child_status(id).ending);
        check(child_status(id).crash_vcore == 0, "registers are kept");
    }
    check(child_remove(id), "still there");
    check_error(manage_call(DIOSIX_START, id, 0, 0), SBI_INVALID_PARAM);
}

void life_kill(void)
{
    uint32_t id = child_start("child", "role=spin");
    check(id && child_says(id, "I am spin"), "did not start");
    check_error(manage_call(DIOSIX_START, id, 0, 0), INVALID_STATE);
    check_error(manage_call(DIOSIX_KILL, id, 0, 0), 0);
    check(child_becomes(id, DIOSIX_STOPPED), "did not end");
    check(child_status(id).ending == DIOSIX_ENDED_KILLED, "ending %u", (unsigned)child_status(id).ending);
    check(child_remove(id), "still there");
}

void life_restart(void)
{
    uint32_t id = child_start("child", "role=spin");
    check(id, "did not start");
    for (unsigned i = 1; i <= 20; i++) {
        if (i % 4 == 0)
            check(child_becomes(id, DIOSIX_RUNNING), "state %u", (unsigned)child_status(id).state);
        for (volatile unsigned wait = i * 997; wait; wait--) {
        }
        (void)manage_call(DIOSIX_RESTART, id, 0, 0); // refused while it is ending
    }
    check(child_becomes(id, DIOSIX_RUNNING), "does not run");
    check(child_status(id).restarts >= 3, "restarts %u", (unsigned)child_status(id).restarts);
    check(child_remove(id), "still there");
}

// Does it get hart time in so many milliseconds? On a busy host these may hold few instructions.
static bool runs_within(uint32_t id, unsigned milliseconds)
{
    uint64_t before = child_status(id).hart_time;
    return wait_for(child_status(id).hart_time > before, milliseconds);
}

void life_pause(void)
{
    uint32_t id = child_start("child", "role=spin");
    check(id && child_says(id, "I am spin"), "did not start");
    check_error(manage_call(DIOSIX_RESUME, id, 0, 0), INVALID_STATE);
    for (int i = 0; i < 10; i++) {
        check_error(manage_call(DIOSIX_PAUSE, id, 0, 0), 0);
        check(child_becomes(id, DIOSIX_PAUSED), "not paused");
        check_error(manage_call(DIOSIX_PAUSE, id, 0, 0), INVALID_STATE);
        check(!runs_within(id, 5), "runs while it is paused");
        check_error(manage_call(DIOSIX_RESUME, id, 0, 0), 0);
        check(child_becomes(id, DIOSIX_RUNNING), "not resumed");
        check(runs_within(id, PATIENCE), "does not go on");
    }
    check_error(manage_call(DIOSIX_PAUSE, id, 0, 0), 0);
    check_error(manage_call(DIOSIX_KILL, id, 0, 0), 0); // also when it is paused
    check(child_becomes(id, DIOSIX_STOPPED), "did not end");
    check(child_remove(id), "still there");
}

void life_stop(void)
{
    uint32_t id = child_start("child", "role=obey");
    check(id && child_says(id, "I am obey"), "did not start");
    check_error(manage_call(DIOSIX_STOP, id, 1000000, 0), 0);
    check(child_becomes(id, DIOSIX_STOPPED), "did not end");
    check(child_status(id).ending == DIOSIX_ENDED_SHUTDOWN, "ending %u", (unsigned)child_status(id).ending);
    check(child_remove(id), "still there");
    id = child_start("child", "role=spin"); // which does not listen
    check(id && child_says(id, "I am spin"), "did not start");
    check_error(manage_call(DIOSIX_STOP, id, 1000000, 0), 0);
    check(child_status(id).asked, "not asked");
    check_error(manage_call(DIOSIX_STOP, id, 200, 0), 0); // the last word counts
    check(child_becomes(id, DIOSIX_STOPPED), "did not end");
    check(child_status(id).ending == DIOSIX_ENDED_KILLED, "ending %u", (unsigned)child_status(id).ending);
    check(child_remove(id), "still there");
}

void life_crash(void)
{
    uint32_t id = child_start("child", "role=crash");
    check(id && child_becomes(id, DIOSIX_STOPPED), "did not end");
    struct diosix_status s = child_status(id);
    check(s.ending == DIOSIX_ENDED_FAILURE && s.crash_vcore == 1, "ending %u, vcore %u", (unsigned)s.ending,
          (unsigned)s.crash_vcore);
    check(s.registers[17] == SBI_SRST && s.registers[0] == 0 && s.pc, "a7 is %llx",
          (long long unsigned)s.registers[17]);
    check(child_remove(id), "still there");
}

// What is kept of an end is of that one, not of those before.
void life_details(void)
{
    uint32_t id = child_start("child", "role=fail");
    check(id && child_becomes(id, DIOSIX_STOPPED), "did not end");
    struct diosix_status s = child_status(id);
    check(s.ending == DIOSIX_ENDED_FAILURE && s.detail[0] == 7, "ending %u, code %u", (unsigned)s.ending,
          (unsigned)s.detail[0]);
    do { // it may be faster
        check_error(manage_call(DIOSIX_START, id, 0, 0), 0);
        (void)manage_call(DIOSIX_KILL, id, 0, 0);
        check(child_becomes(id, DIOSIX_STOPPED), "did not end");
        s = child_status(id);
    } while (s.ending != DIOSIX_ENDED_KILLED);
    check(s.detail[0] == 0 && s.crash_vcore == 0, "code %u, vcore %u", (unsigned)s.detail[0], (unsigned)s.crash_vcore);
    check(child_remove(id), "still there");
}

void life_console(void)
{
    uint32_t id = child_start("child", "role=echo");
    check(id && child_says(id, "I am echo"), "did not start");
    check(manage_struct(DIOSIX_INPUT, id, 1, "z").value == 1, "input not taken");
    check(child_says(id, "got z"), "input did not arrive");
    check(child_remove(id), "still there");
}

void life_devices(void)
{
    static const struct diosix_equip console = {.kind = DIOSIX_DEVICE_CONSOLE},
                                     net = {.kind = DIOSIX_DEVICE_NET, .name = "lan"};
    struct diosix_device device;
    uint32_t id = child_create("child", "role=console");
    check(id, "not created");
    check_error(manage_struct(DIOSIX_EQUIP, id, sizeof net, &net), SBI_INVALID_PARAM); // it is on no switch itself
    check_error(manage_struct(DIOSIX_EQUIP, id, sizeof console - 1, &console), SBI_INVALID_PARAM);
    check_error(manage_struct(DIOSIX_EQUIP, id, sizeof console, &console), 0);
    struct sbi_result second = manage_struct(DIOSIX_EQUIP, id, sizeof console, &console);
    check(second.error == SBI_FAILED && second.value == DIOSIX_LACK_DEVICES, "two consoles: %ld", second.error);
    check_error(manage_call(DIOSIX_START, id, 0, 0), 0);
    check_error(manage_struct(DIOSIX_EQUIP, id, sizeof console, &console), INVALID_STATE);
    check(child_says(id, "virtio prints !"), "did not print");
    check(manage_struct(DIOSIX_INPUT, id, 1, "y").value == 1, "input not taken");
    check(child_says(id, "virtio reads y"), "did not read");
    check(child_says(id, "it is reset"), "did not reset");
    check(manage_struct(DIOSIX_INPUT, id, 1, "z").value == 1, "input not taken");
    check(child_says(id, "the uart reads z"), "did not read again");
    check_error(sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_DEVICE, id, 0, sizeof device, &device, 0, 0), 0);
    check(device.kind == DIOSIX_DEVICE_CONSOLE && device.to_guest.bytes == 1 && device.from_guest.requests == 2,
          "not counted");
    check(child_remove(id), "still there");
}

void life_destroy(void)
{
    // In any stage.
    for (unsigned i = 0; i < 30; i++) {
        uint32_t id = child_start("child", "role=idle");
        check(id, "did not start");
        for (volatile unsigned wait = i * 2003; wait; wait--) {
        }
        check(child_remove(id), "still there");
    }
}

void settings(void)
{
    static const struct {
        enum diosix_setting setting;
        uint64_t good, bad;
    } rows[] = {
        {DIOSIX_SET_WEIGHT, 200, 0},
        {DIOSIX_SET_WEIGHT, 1, 1001},
        {DIOSIX_SET_CAP, 50, 100000},
        {DIOSIX_SET_AFFINITY, 1, 1ull << 60},
        {DIOSIX_SET_RESTART, DIOSIX_RESTART_ALWAYS, 3},
    };
    uint32_t id = child_start("child", "role=spin");
    check(id, "did not start");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_error(manage_set(id, rows[i].setting, rows[i].bad), SBI_INVALID_PARAM);
        check_error(manage_set(id, rows[i].setting, rows[i].good), 0);
    }
    struct diosix_status s = child_status(id);
    check(s.weight == 1 && s.cap == 50 && s.affinity == 1 && s.restart == DIOSIX_RESTART_ALWAYS, "not as set");
    check_error(manage_set(id, DIOSIX_SET_EXCLUSIVE, 1), SBI_DENIED);
    check_error(manage_set(id, DIOSIX_SET_RIGHTS, DIOSIX_RIGHT_CONSOLE), SBI_DENIED);
    check_error(manage_set(id, (enum diosix_setting)77, 1), SBI_INVALID_PARAM);
    check_error(manage_set(id, DIOSIX_SET_QUOTA_MEMORY, (uint64_t)1 << 60), SBI_FAILED);
    check(runs_within(id, PATIENCE), "does not run");
    check(child_remove(id), "still there");
}
