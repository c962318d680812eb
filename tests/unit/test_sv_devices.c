// sources: supervisor bearssl
//
// The supervisor's console, interrupts, the hypervisor beneath, power, and what can be inspected.
#include "diosix.h"
#include "init.h"

static void input(const char *text)
{
    kernel_enter();
    kernel_input(text, (unsigned)strlen(text));
    kernel_next();
    kernel_leave();
}

static void interrupt(unsigned number)
{
    kernel_enter();
    kernel_interrupt(number);
    kernel_next();
    kernel_leave();
}

static void test_write(void **state)
{
    (void)state;
    char text[300];

    memset(text, 'a', sizeof(text));
    assert_true(fake_store(scratch, text, sizeof(text)));
    ok(SV_WRITE, console, scratch, sizeof(text));
    assert_int_equal(fake_value[1], sizeof(text));
    assert_int_equal(fake_output_size, sizeof(text));
    fake_output_room = 5;
    ok(SV_WRITE, console, scratch, sizeof(text));
    assert_int_equal(fake_value[1], 5);
    assert_int_equal(call(SV_WRITE, console, 16, 3), SV_FAULT);
    ok(SV_WRITE, console, scratch, 0);
}

static void test_input(void **state)
{
    (void)state;
    char text[4] = "";

    ok(SV_THEN, console, CODE, 0, SV_AGAIN);
    next_run();
    assert_null(fake_task());
    input("abc");
    assert_int_equal(fake_task()->frame.event, SV_EVENT_INPUT);
    assert_int_equal(fake_task()->frame.words[0], 3);
    ok(SV_READ, console, scratch, 2);
    assert_int_equal(fake_value[1], 2);
    assert_true(fake_load(scratch, text, 2));
    assert_string_equal(text, "ab");
    next_run(); // there is one more
    assert_int_equal(fake_task()->frame.words[0], 1);
    assert_int_equal(call(SV_READ, console, 16, 10), SV_FAULT);
    ok(SV_READ, console, scratch, 100);
    assert_int_equal(fake_value[1], 1);
    next_run();
    assert_null(fake_task());
    fake_check();
}

static void test_more_input_than_there_is_room_for(void **state)
{
    (void)state;
    unsigned count = 0;

    for (unsigned i = 0; i < 300; i++)
        input("12345678");
    do {
        ok(SV_READ, console, scratch, 1000);
        count += (unsigned)fake_value[1];
    } while (fake_value[1]);
    assert_int_equal(count, 1024);
}

static void test_interrupt(void **state)
{
    (void)state;
    struct sv_handle five = fake_start_handle("interrupt-5");

    ok(SV_THEN, five, CODE, 0, SV_AGAIN);
    assert_true(fake_interrupt_enabled[5]);
    assert_false(fake_interrupt_enabled[10]);
    next_run();
    interrupt(7); // nobody's
    interrupt(INTERRUPTS_MAX);
    assert_null(fake_task());
    interrupt(5);
    assert_int_equal(fake_task()->frame.event, SV_EVENT_INTERRUPT);
    assert_int_equal(fake_task()->frame.words[0], 5);
    ok(SV_COMPLETE, five, 0);
    ok(SV_COMPLETE, five, 0);
    assert_int_equal(fake_interrupt_completed[5], 1);
    next_run();
    assert_null(fake_task());
    interrupt(5);
    assert_non_null(fake_task());
    fake_check();
}

// A program says which call, with which numbers and which memory of its own; never an address of ours.
static void test_hypervisor(void **state)
{
    (void)state;
    struct sv_handle hypervisor = fake_start_handle("hypervisor");
    struct sv_hypervisor_call h = {.argument = {5}};
    char answer[16];

    assert_true(fake_store(scratch, &h, sizeof(h)));
    ok(SV_HYPERVISOR, hypervisor, DIOSIX_NEXT, scratch);
    assert_int_equal(fake_value[1], DIOSIX_NEXT + 5);
    assert_int_equal(call(SV_HYPERVISOR, hypervisor, DIOSIX_POWER, scratch), SV_FAILED);
    assert_int_equal((long)fake_value[2], -4);
    assert_int_equal(call(SV_HYPERVISOR, hypervisor, DIOSIX_CALLS, scratch), SV_INVALID);
    assert_int_equal(call(SV_HYPERVISOR, hypervisor, (sv_word)-1, scratch), SV_INVALID);

    h.size = sizeof(answer);
    h.buffer = scratch + sizeof(h);
    assert_true(fake_store(scratch, &h, sizeof(h)));
    ok(SV_HYPERVISOR, hypervisor, DIOSIX_STATUS, scratch);
    assert_true(fake_load(scratch + sizeof(h), answer, sizeof(answer)));
    assert_memory_equal(answer, "xxxxxxxxxxxxxxxx", sizeof(answer));
    h.buffer = 16;
    assert_true(fake_store(scratch, &h, sizeof(h)));
    assert_int_equal(call(SV_HYPERVISOR, hypervisor, DIOSIX_STATUS, scratch), SV_FAULT);
    assert_int_equal(call(SV_HYPERVISOR, hypervisor, DIOSIX_INPUT, scratch), SV_FAULT);
    h.size = 4097;
    assert_true(fake_store(scratch, &h, sizeof(h)));
    assert_int_equal(call(SV_HYPERVISOR, hypervisor, DIOSIX_STATUS, scratch), SV_INVALID);
}

static void test_power(void **state)
{
    (void)state;
    assert_int_equal(call(SV_POWER, system_handle, 2), SV_INVALID);
    assert_int_equal(call(SV_POWER, copy(system_handle, SV_RIGHT_READ), 0), SV_DENIED);
    ok(SV_POWER, system_handle, 1);
    assert_int_equal(fake_powered, 2);
}

static sv_word inspect(unsigned kind, uint32_t from, void *out, size_t size)
{
    sv_word status = call(SV_INSPECT, system_handle, kind, from, scratch, size);
    sv_word id = fake_value[1];

    if (status == SV_OK)
        assert_true(fake_load(scratch, out, size));
    else
        assert_int_equal(status, SV_NOT_FOUND);
    return status == SV_OK ? id : 0;
}

static void test_inspect(void **state)
{
    (void)state;
    struct sv_machine machine;
    struct sv_task task;
    struct sv_program program;
    struct sv_channel ch;

    channel(7);
    inspect(SV_KIND_MACHINE, 0, &machine, sizeof(machine));
    assert_int_equal(machine.harts, 2);
    assert_int_equal(machine.tasks, 1);
    assert_int_equal(machine.channels, 1);
    assert_string_equal(machine.description, "supervisor on a test");
    assert_int_equal(inspect(SV_KIND_MACHINE, 1, &machine, sizeof(machine)), 0);
    sv_word id = inspect(SV_KIND_TASK, 0, &task, sizeof(task));
    assert_int_equal(id, task.id);
    assert_int_equal(task.state, SV_TASK_RUNNING);
    assert_string_equal(task.program, "init");
    assert_int_equal(inspect(SV_KIND_TASK, (uint32_t)id + 1, &task, sizeof(task)), 0);
    assert_int_not_equal(inspect(SV_KIND_PROGRAM, 0, &program, sizeof(program)), 0);
    assert_string_equal(program.name, "init");
    assert_int_not_equal(inspect(SV_KIND_CHANNEL, 0, &ch, sizeof(ch)), 0);
    assert_int_equal(ch.depth, 7);
    assert_int_equal(ch.senders, 1);
    assert_int_equal(call(SV_INSPECT, system_handle, 6, 0, scratch, 8), SV_INVALID);
    assert_int_equal(call(SV_INSPECT, system_handle, SV_KIND_TASK, 0, scratch, 8), SV_INVALID);
    assert_int_equal(call(SV_INSPECT, system_handle, SV_KIND_TASK, 0, 16, sizeof(task)), SV_FAULT);
}

static void test_inspect_finds_all(void **state)
{
    (void)state;
    struct sv_region r;
    struct sv_capability c;
    unsigned regions = 0, capabilities = 0;

    copy(copy(console, SV_RIGHT_READ | SV_RIGHT_COPY), SV_RIGHT_READ);
    for (uint32_t at = 0; inspect(SV_KIND_REGION, at, &r, sizeof(r)); at = r.id + 1) {
        regions++;
        assert_int_equal(r.owner, fake_task()->object.id);
        assert_int_equal(r.holders, 1);
    }
    for (uint32_t at = 0; inspect(SV_KIND_CAPABILITY, at, &c, sizeof(c)); at = c.id + 1) {
        capabilities++;
        assert_int_equal(c.task, fake_task()->object.id);
    }
    assert_int_equal(regions, objects_count[SV_TYPE_REGION]);
    assert_int_equal(capabilities, capabilities_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_write),
        test(test_input),
        test(test_more_input_than_there_is_room_for),
        test(test_interrupt),
        test(test_hypervisor),
        test(test_power),
        test(test_inspect),
        test(test_inspect_finds_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
