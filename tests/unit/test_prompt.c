// sources: tests/unit/fake/manage.c tests/unit/fake/prompt.c lib/format.c lib/edit.c
// sources: prompt/ask.c prompt/command.c prompt/devices.c prompt/listing.c prompt/operate.c prompt/out.c
// sources: prompt/parse.c prompt/show.c prompt/units.c
// sources: programs/console/line.c programs/console/complete.c programs/console/leave.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "edit.h"
#include "manage_fake.h"
#include "out.h"
#include "parse.h"
#include "prompt_fake.h"
#include "units.h"

#define STEPS 100000u
#define TICKS_PER_SECOND 1000000u

static void forget(void)
{
    prompt_shown_length = 0;
    prompt_shown[0] = 0;
}

static void type(const char *keys)
{
    prompt_keys(keys, strlen(keys));
    assert_true(prompt_settle(STEPS));
}

// Whatever was shown since the last look.
#define expect(text)                                                                                                   \
    do {                                                                                                               \
        assert_string_equal(prompt_shown, text);                                                                       \
        forget();                                                                                                      \
    } while (0)

static void expect_in(const char *text)
{
    if (!strstr(prompt_shown, text))
        fail_msg("'%s' is not in '%s'", text, prompt_shown);
}

// Types a command; what it said, without its echo and the prompt after it.
#define says(line, text)                                                                                               \
    do {                                                                                                               \
        type(line "\r");                                                                                               \
        expect(line "\r\n" text "dio> ");                                                                              \
    } while (0)

static int setup(void **state)
{
    (void)state;
    prompt_room = SIZE_MAX;
    prompt_attached = true;
    prompt_disturb = false;
    fake_error = 0;
    fake_capsule_count = fake_records = fake_calls_until_stopped = 0;
    fake_log = "";
    fake_breeds = false;
    fake_add("linux1", 0, DIOSIX_RUNNING);
    fake_add("linux2", 0, DIOSIX_STOPPED);
    fake_add("child", 1, DIOSIX_RUNNING);
    type("q\x03"); // ends what was going on, and what was typed
    forget();
    return 0;
}

// The editor -------------------------------------------------------------------------------------------

static void test_echo_is_plain(void **state)
{
    (void)state;
    type("abc");
    expect("abc");
    type("\b");
    expect("\b \b");
    type("\x7f");
    expect("\b \b");
    type("\b");
    expect("\b \b");
    type("\b"); // nothing is left
    expect("");
}

static void test_edit_in_the_middle(void **state)
{
    (void)state;
    type("hlp\x02\x02"
         "e"); // back twice, then insert
    expect("hlp\b\belp\b\b");
    type("\r");
    assert_non_null(strstr(prompt_shown, "lp\r\nhelp"));
    forget();
    type("xhelp\x01\x04\r"); // home, delete forward
    expect_in("ok\r\n");
    type("help list xyz\x17\x17list\r"); // words away
    expect_in("list\r\n all capsules");
    type("nonsense\x15help list\r");
    expect_in("nonsense");
    assert_null(strstr(prompt_shown, "error"));
    type("help listabc\x1b[D\x1b[D\x1b[D\x0b\r"); // left thrice, kill to the end
    assert_null(strstr(prompt_shown, "error"));
}

static void test_sequences(void **state)
{
    (void)state;
    type("bc\x1b[Ha\x1b[Fd\x1b[1~\x1b[3~\x1b[4~e\x1bOD\x1bOC\x1b[5~\x1b[17~\x1b[999999999999A\x03"
         "help list\x1b[\r");
    expect_in("list\r\n all capsules");
    assert_null(strstr(prompt_shown, "error"));
}

static void test_line_ends(void **state)
{
    (void)state;
    says("images", "linux                            20M  kernel\r\nlinux-initrd                    1.5M\r\nok\r\n");
    type("kill\n\r\n"); // LF, then CR LF
    expect("kill\r\nerror: wrong arguments: kill NAME\r\ndio> \r\ndio> ");
    type("kill\r");
    type("\n");
    expect("kill\r\nerror: wrong arguments: kill NAME\r\ndio> ");
}

static void test_rubbish(void **state)
{
    static const uint8_t rubbish[] = {0, 1, 2, 0x80, 0xff, 0xc3, 0xa9, 0x1d, 0x1c, 7, 'h', 'e', 'l', 'p', 0x9b, '\r'};
    (void)state;
    prompt_keys(rubbish, sizeof(rubbish));
    assert_true(prompt_settle(STEPS));
    expect_in("help\r\nhelp [COMMAND]");
}

static void test_line_too_long(void **state)
{
    char line[EDIT_SIZE + 10];
    (void)state;
    memset(line, 'a', sizeof(line));
    prompt_keys(line, sizeof(line));
    assert_true(prompt_settle(STEPS));
    assert_int_equal(prompt_shown_length, sizeof(line)); // bells for those that have no room
    assert_int_equal(prompt_shown[EDIT_SIZE - 2], 'a');
    assert_int_equal(prompt_shown[EDIT_SIZE - 1], '\a');
    forget();
    type("\r");
    expect_in("error: no command 'aaaa");
}

static void test_history(void **state)
{
    (void)state;
    type("one\rtwo\r");
    forget();
    type("\x10");
    expect("two");
    type("\x1b[A");
    expect("\b\b\bone");
    type("\x0e\x0e");
    expect("\b\b\btwo\b\b\b   \b\b\b");
    type("\x0e"); // the end
    expect("\a");
    type("half\x10\x0e");
    expect("half\b\b\b\btwo \b\b\b\bhalf");
    type("\x03");
    for (unsigned i = 0; i < 20; i++)
        type(i % 2 ? "odd\r" : "even\r");
    forget();
    for (unsigned i = 0; i < 9; i++)
        type("\x10");
    assert_int_equal(prompt_shown[prompt_shown_length - 1], '\a'); // eight are kept
}

static void test_disturbed_line_comes_again(void **state)
{
    (void)state;
    type("lis\x02");
    forget();
    prompt_disturb = true;
    type("");
    expect("\rdio> lis\b");
    type("");
    expect("");
}

// Completion ------------------------------------------------------------------------------------------

static void test_completion(void **state)
{
    (void)state;
    type("mac\t");
    expect("machine ");
    type("\x03");
    forget();
    type("re\t"); // restart, resume, reboot
    expect("re\r\nrestart  resume  reboot  \r\ndio> re");
    type("s\t\x03");
    forget();
    type("kill l\t");
    expect("kill linux");
    type("2\t");
    expect("2 ");
    type("\x03set linux1 w\t");
    expect_in("weight ");
    type("\x03"
         "create x from linux-\t");
    expect_in("linux-initrd ");
    type("cmd\t");
    expect_in("cmdline ");
    type("\x03");
    forget();
    type("kill z\t");
    expect("kill z\a");
    forget();
    type("\x03set linux1 restart \t\x03");
    expect_in("never  on-crash  always  \r\n");
    forget();
    type("set linux1 exclusive y\t\x03");
    expect_in("exclusive yes ");
    type("set linux1 weight \t\x03set linux1 disk0 s\t\x03create x from linux isolation g\t\x03");
    expect_in("weight \a");
    expect_in("disk0 size ");
    expect_in("isolation gstage ");
    type("help set a\t\x03nonsense \t\x03");
    expect_in("\a");
}

// Commands --------------------------------------------------------------------------------------------

static void test_unknown(void **state)
{
    (void)state;
    says("frobnicate", "error: no command 'frobnicate': help lists them\r\n");
    says("list all", "error: wrong arguments: list\r\n");
    says("kill nobody", "error: no capsule 'nobody': list shows them\r\n");
    says("kill 0", "error: no capsule '0': list shows them\r\n");
    says("kill 4294967297", "error: no capsule '4294967297': list shows them\r\n");
    says("create \"x", "error: a quote has no end\r\n");
}

static void test_help(void **state)
{
    (void)state;
    type("help\r");
    expect_in("help [COMMAND]               says what commands there are\r\n");
    expect_in("\r\nset NAME [DEVICE] ...        changes weight, ");
    expect_in("\r\ncreate NAME from IMAGE ...   makes a capsule; ");
    expect_in("\r\nreboot ");
    expect_in("ok\r\ndio> ");
    forget();
    says("help kill", "kill NAME\r\n ends it at once\r\nok\r\n");
    says("help me", "error: no command 'me': help lists them\r\n");
}

static void test_list(void **state)
{
    (void)state;
    fake_capsules[0].exits[0] = 1000;
    type("list\r");
    expect_in("\r\n   1 linux1         running 192M 8.3M  2 gstage   12.34   0");
    expect_in("\r\n   3   child        running ");
    assert_true(strstr(prompt_shown, "child") < strstr(prompt_shown, "linux2")); // below its parent
    for (char *line = prompt_shown, *end; (end = strstr(line, "\r\n")) != NULL; line = end + 2)
        assert_true(end - line < 100);
    forget();
    // Rates are those since the last look.
    prompt_clock += 2 * TICKS_PER_SECOND;
    fake_capsules[0].exits[0] += 500;
    fake_capsules[0].exits[7] += 100000000;
    type("list\r");
    expect_in("  0  250    0    0    0    0    0    0  50M\r\n");
}

static void test_list_ends(void **state)
{
    unsigned rows = 0;

    (void)state;
    fake_breeds = true;
    type("list\r");
    for (const char *at = prompt_shown; (at = strstr(at, "gstage")) != NULL; at++)
        rows++;
    assert_int_equal(rows, 3 + 16);
    expect_in("\r\nand more, that were made meanwhile\r\nok\r\n");
}

static void test_list_deep_and_changing(void **state)
{
    (void)state;
    for (uint32_t parent = 3; parent < 20; parent = fake_add("deeper", parent, DIOSIX_RUNNING)) {
    }
    for (unsigned i = 0; i < 40; i++)
        fake_add("more", 0, DIOSIX_RUNNING);
    type("list\r");
    unsigned rows = 0;
    for (const char *at = prompt_shown; (at = strstr(at, "gstage")) != NULL; at++)
        rows++;
    assert_int_equal(rows, fake_capsule_count);
    forget();
    // One that is gone between two steps ends nothing.
    prompt_room = 200;
    prompt_keys("list\r", 5);
    prompt_settle(STEPS);
    fake_capsules[0].name[0] = fake_capsules[2].name[0] = fake_capsules[5].name[0] = 0;
    prompt_room = SIZE_MAX;
    type("");
    expect_in("ok\r\n");
}

static void test_output_waits_for_room(void **state)
{
    (void)state;
    prompt_room = 10;
    prompt_keys("help\r", 5);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(prompt_settle(STEPS));
        prompt_room = 7;
    }
    expect_in("\r\nreboot                       restarts the machine, whatever runs\r\nok\r\ndio> ");
    expect_in("says what commands there are\r\nlist ");
}

static void test_top(void **state)
{
    (void)state;
    fake_capsules[0].hart_time = 0;
    type("top\r");
    expect_in("\x1b[H");
    expect_in("memory free 800M of   1G");
    expect_in("linux1");
    expect_in("\x1b[J");
    forget();
    type(""); // no sooner than after a second
    expect("");
    fake_capsules[0].hart_time = 500000000;
    assert_true(prompt_time_passes());
    type("");
    expect_in("    50%");
    forget();
    type("q");
    expect("\r\nok\r\ndio> ");
    // What is typed ahead ends it, too, and is not lost.
    type("top\rmachine\r");
    expect_in("ok\r\ndio> machine\r\nDiosix 1.0 on test,machine");
    type("top\r");
    prompt_attached = false;
    forget();
    type("");
    expect("\r\nok\r\n");
}

static void test_console(void **state)
{
    (void)state;
    type("console linux2\r");
    expect("console linux2\r\nok\r\n");
    assert_string_equal(prompt_went_to, "linux2");
    assert_false(prompt_attached);
}

static void test_log(void **state)
{
    (void)state;
    fake_log = "hello\n\nok\r\n\x1b[2J\x1b[31mred\x1b[m end";
    says("log linux1", "| hello\r\n|\r\n| ok\r\n| red end\r\nok\r\n");
    fake_log = "a\xc2\xb5\xc3\x9b \xc2\x9b\xc2\xc2\x9b\xc2\x1b[2J\x7f" // CSI as one character
               "b\xc2"
               "c\xc2\n";
    says("log linux1", "| a\xc2\xb5\xc3\x9b bc\r\nok\r\n");
    struct diosix_status *s = &fake_capsules[0];
    s->ending = DIOSIX_ENDED_FAULT;
    s->detail[0] = 5;
    s->failures = 2;
    s->crash_vcore = 1;
    s->registers[31] = 0x1234;
    s->backtrace_count = 2;
    s->backtrace[1] = 0xabcd;
    type("log 1\r");
    expect_in("last end: a fault it could not be given; failures in a row: 2\r\ncause 5, value 0x0, pc 0x0\r\n");
    expect_in("vcore 0, pc 0x0\r\nzero 0x0");
    expect_in("t6   0x0000000000001234");
    expect_in("called from 0x0 0xabcd\r\nok\r\n");
}

static void test_trace(void **state)
{
    (void)state;
    says("trace linux1", "its exits are kept from now on: ask again\r\nok\r\n");
    fake_records = 100;
    type("trace linux1 10\r");
    expect_in("0.001000 vcore 0 timer          250 ns  cause 10  0x54494d45\r\n");
    unsigned lines = 0;
    for (const char *at = prompt_shown; (at = strstr(at, " timer ")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 10);
    forget();
    says("trace linux1 off", "ok\r\n");
    assert_int_equal(fake_last.size, 0);
    says("trace linux1 x", "error: wrong arguments: trace NAME [COUNT|off]\r\n");
}

static void test_calls(void **state)
{
    (void)state;
    says("start linux2", "ok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_START);
    assert_int_equal(fake_last.n[0], 2);
    says("restart 1", "ok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_RESTART);
    says("pause child", "ok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_PAUSE);
    says("resume child", "ok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_RESUME);
    says("reboot", "ok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_POWER);
    assert_int_equal(fake_last.n[0], DIOSIX_POWER_REBOOT);
}

static void test_errors(void **state)
{
    (void)state;
    fake_error = -10;
    says("start linux1", "error: linux1 is running: it runs already\r\n");
    says("pause linux2", "error: linux2 is stopped: start it first\r\n");
    fake_error = -1;
    fake_lack = DIOSIX_LACK_MEMORY;
    says("start linux2",
         "error: linux2: not enough free memory (machine tells): stop or destroy others, or take less\r\n");
    fake_error = -2;
    type("fork linux1\r");
    expect_in("error: linux1: not possible here (fork needs isolation gstage)\r\n");
    fake_error = -4;
    forget();
    says("kill linux1", "error: linux1: refused: who asks has no right to that\r\n");
}

static void test_stop(void **state)
{
    (void)state;
    fake_calls_until_stopped = 20;
    prompt_keys("stop linux1 3\r", 14);
    do
        assert_true(prompt_settle(STEPS));
    while (prompt_time_passes());
    expect("stop linux1 3\r\nok\r\ndio> ");
    assert_int_equal(fake_last_function, DIOSIX_STOP);
    assert_int_equal(fake_last.n[1], 3000);
    // A key ends the waiting.
    type("stop child\r");
    assert_true(prompt_time_passes());
    type("\r");
    expect("stop child\r\nerror: no longer waited for: child is still running, list tells when it is not\r\ndio> ");
    assert_int_equal(fake_last.n[1], 10000);
    says("stop child soon", "error: 'soon' are no seconds: 0 to 86400\r\n");
}

static void test_destroy(void **state)
{
    (void)state;
    type("destroy linux2\r"); // stopped, but still there
    assert_true(prompt_time_passes());
    type("");
    expect("destroy linux2\r\n");
    fake_capsules[1].name[0] = 0;
    assert_true(prompt_time_passes());
    type("");
    expect("ok\r\ndio> ");
}

static void set_is(uint32_t id, enum diosix_setting setting, uint64_t value)
{
    assert_int_equal(fake_last_function, DIOSIX_SET);
    assert_int_equal(fake_last.n[0], id);
    assert_int_equal(fake_last.n[1], setting);
    assert_true(fake_last.n[2] == value);
}

static void test_set(void **state)
{
    (void)state;
    says("set linux1 weight 200", "ok\r\n");
    set_is(1, DIOSIX_SET_WEIGHT, 200);
    says("set 2 affinity 0,2-3", "ok\r\n");
    set_is(2, DIOSIX_SET_AFFINITY, 0xd);
    says("set 2 exclusive yes", "ok\r\n");
    set_is(2, DIOSIX_SET_EXCLUSIVE, 1);
    says("set 2 restart on-crash", "ok\r\n");
    set_is(2, DIOSIX_SET_RESTART, DIOSIX_RESTART_ON_CRASH);
    says("set 2 rights manage,console", "ok\r\n");
    set_is(2, DIOSIX_SET_RIGHTS, 3);
    says("set 2 quota-memory 6G", "ok\r\n");
    set_is(2, DIOSIX_SET_QUOTA_MEMORY, 6ULL << 30);
    says("set 2 quota-capsules 5", "ok\r\n");
    set_is(2, DIOSIX_SET_QUOTA_CAPSULES, 5);
    says("set 2 weight heavy", "error: 'heavy' is no weight: that is 1 to 1000\r\n");
    says("set 2 weight 0", "error: '0' is no weight: that is 1 to 1000\r\n");
    says("set 2 weight 1001", "error: '1001' is no weight: that is 1 to 1000\r\n");
    says("set 2 cap 6401", "error: '6401' is no cap: that is 0 to 6400, in percent of one hart\r\n");
    fake_error = -3;
    says("set 2 affinity 9", "error: linux2: not on harts 9: machine lists those there are\r\n");
    says("set 2 exclusive yes", "error: linux2: which harts? Not all: set linux2 affinity first\r\n");
    says("start 2", "error: linux2 can't be started with this kernel, initrd and memory\r\n");
    fake_error = 0;
    type("set 2 wieght 5\r");
    expect_in("error: no setting 'wieght'");
}

static void test_devices(void **state)
{
    (void)state;
    says("devices linux1", "rng0\r\n  read 3, 192B\r\n"
                           "disk0 'root' 24M, read-only, 200 a second, 8M a second\r\n"
                           "  read 10, 40K, 1 failed  written 0, 0B\r\n"
                           "disk1 0B, empty, no driver\r\n  read 0, 0B  written 0, 0B\r\n"
                           "net0 'lan' 02:00:00:00:00:07, up, no driver\r\n"
                           "  received 5, 500B, 2 lost  sent 6, 600B\r\n"
                           "balloon0 37M of 64M\r\n  taken back 0, 0B  given back 66, 228M\r\n"
                           "console0, no driver\r\n  typed 7, 9B  printed 8, 2K\r\nok\r\n");
}

static void device_set_is(unsigned slot, enum diosix_device_setting setting, uint64_t value)
{
    assert_int_equal(fake_last_function, DIOSIX_DEVICE_SET);
    assert_int_equal(fake_last.n[0], 1);
    assert_int_equal(fake_last.n[1], slot + 256 * setting);
    assert_true(fake_last.n[2] == value);
}

static void test_set_device(void **state)
{
    (void)state;
    says("set linux1 disk0 iops 50", "ok\r\n");
    device_set_is(2, DIOSIX_DEVICE_SET_REQUESTS, 50);
    says("set linux1 disk1 bandwidth 6M", "ok\r\n");
    device_set_is(3, DIOSIX_DEVICE_SET_BYTES, 6 << 20);
    says("set linux1 disk size 1G", "ok\r\n");
    device_set_is(2, DIOSIX_DEVICE_SET_SIZE, 1 << 30);
    says("set linux1 net0 link down", "ok\r\n");
    device_set_is(4, DIOSIX_DEVICE_SET_OUT, 1);
    says("set linux1 net0 packets 9", "ok\r\n");
    device_set_is(4, DIOSIX_DEVICE_SET_REQUESTS, 9);
    says("set linux1 balloon 6M", "ok\r\n");
    device_set_is(5, DIOSIX_DEVICE_SET_SIZE, 6 << 20);
    says("set linux1 balloon much", "error: 'much' is no size: that is bytes, like 64M or 1G\r\n");
    fake_error = -2;
    says("set linux1 balloon 6M", "error: linux1 gives nothing back: that needs isolation gstage\r\n");
    fake_error = 0;
    says("set linux1 net0 link off", "error: 'off' is no link: that is up or down\r\n");
    says("set linux1 disk2 iops 5", "error: linux1 has no device 'disk2': devices linux1 shows them\r\n");
    says("set linux1 disk99999999999999999999 iops 5",
         "error: linux1 has no device 'disk99999999999999999999': devices linux1 shows them\r\n");
    type("set linux1 disk0 link up\r");
    expect_in("error: no setting 'link' of disk0");
    forget();
    fake_error = -10;
    says("set linux1 disk0 size 1G",
         "error: disk0 has still to do what it was told before: wait, or resume linux1\r\n");
    fake_error = 0;
}

static void test_attach(void **state)
{
    (void)state;
    says("detach linux1 disk0", "ok\r\n");
    device_set_is(2, DIOSIX_DEVICE_SET_OUT, 1);
    says("attach linux1 disk0", "ok\r\n");
    device_set_is(2, DIOSIX_DEVICE_SET_OUT, 0);
    says("attach linux1 disk1 data", "ok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_ATTACH);
    assert_int_equal(fake_last.n[1], 3);
    assert_int_equal(fake_last.size, 5);
    assert_string_equal(fake_last_buffer, "data");
    says("detach linux1 disk1", "ok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_ATTACH);
    assert_int_equal(fake_last.size, 0);
    type("attach linux1 net0\r");
    expect_in("error: net0: only a disk is attached");
    forget();
    fake_error = -1;
    fake_lack = DIOSIX_LACK_DEVICES;
    says("attach linux1 disk1 data",
         "error: the machine has no disk 'data', or two, or it is in use, or can't be written\r\n");
    fake_error = 0;
}

static void test_create(void **state)
{
    const struct diosix_create *made = (const void *)fake_last_buffer;
    (void)state;
    says(
        "create web from linux initrd linux-initrd memory 128M vcores 4 restart always weight 50 cmdline console=ttyS0 "
        "\"a  b\"",
        "web: id 4\r\nok\r\n");
    assert_string_equal(made->name, "web");
    assert_string_equal(made->kernel, "linux");
    assert_string_equal(made->initrd, "linux-initrd");
    assert_int_equal(made->memory, 128 << 20);
    assert_int_equal(made->vcores, 4);
    assert_int_equal(made->restart, DIOSIX_RESTART_ALWAYS);
    assert_int_equal(made->weight, 50);
    assert_string_equal(made->cmdline, "console=ttyS0 a  b");
    assert_int_equal(fake_last.size, sizeof(*made) + strlen(made->cmdline));
    says("create two from linux start", "two: id 5\r\nok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_START);
    assert_int_equal(fake_last.n[0], 5);
    says("create BAD from linux", "error: 'BAD' is no name: up to 31 of a-z, 0-9 and -, a letter first\r\n");
    says("create x from linux vcores", "error: vcores wants a value\r\n");
    says("create x from linux vcores 99999999999", "error: '99999999999' is no vcores: that is 1 to 64\r\n");
    says("create x from linux fast yes", "error: no option 'fast': help create lists them\r\n");
    type("create x memory 64M\r");
    expect_in("error: wrong arguments: create NAME from IMAGE");
    fake_error = -3;
    forget();
    says("create x from nothing", "error: no image 'nothing': images lists them\r\n");
    says("create x from linux start initrd nothing", "error: no image 'nothing': images lists them\r\n");
    says("create linux1 from linux initrd linux-initrd", "error: the name 'linux1' is taken: choose another\r\n");
    type("create x from linux memory 3M cmdline from nothing\r");
    expect_in("error: x: the name is taken by somebody else's, the memory is no multiple of ");
}

static void equip_is(enum diosix_device_kind kind, const char *name, uint64_t overlay, uint32_t flags)
{
    const struct diosix_equip *e = (const void *)fake_last_buffer;
    assert_int_equal(fake_last_function, DIOSIX_EQUIP);
    assert_int_equal(e->kind, kind);
    assert_string_equal(e->name, name);
    assert_true(e->overlay == overlay);
    assert_int_equal(e->flags, flags);
}

static void test_create_with_devices(void **state)
{
    (void)state;
    says("create a from linux rng console disk disk-1 overlay 8M", "a: id 4\r\nok\r\n");
    equip_is(DIOSIX_DEVICE_DISK, "disk-1", 8 << 20, 0);
    assert_int_equal(fake_last.n[0], 4);
    says("create b from linux disk disk-1 net lan isolated memory 8M", "b: id 5\r\nok\r\n");
    equip_is(DIOSIX_DEVICE_NET, "lan", 0, DIOSIX_EQUIP_ISOLATED);
    says("create c from linux balloon cmdline net rng", "c: id 6\r\nok\r\n");
    equip_is(DIOSIX_DEVICE_BALLOON, "", 0, 0);
    says("create d from linux rng start", "d: id 7\r\nok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_START);
    says("create e from linux net", "error: net wants a value\r\n");
    says("create e from linux rng overlay 4M", "error: overlay follows a disk\r\n");
    assert_int_equal(fake_last_function, DIOSIX_DESTROY);
    says("create f from linux disk disk-1 overlay much",
         "error: 'much' is no overlay: that is bytes, like 64M or 1G\r\n");
    assert_int_equal(fake_last_function, DIOSIX_DESTROY);
    fake_equip_error = -3;
    says("create g from linux net wan",
         "error: 'wan': no such disk (images lists them) or switch, or its overlay is no multiple of 4K\r\n");
    assert_int_equal(fake_last_function, DIOSIX_DESTROY);
    fake_equip_error = -1;
    says("create h from linux console", "error: 'console': there is no place: a capsule has eight devices, one "
                                        "balloon, console and vsock; a switch has "
                                        "64 ports\r\n");
    says("create h from linux host-disk data", "error: 'data': there is no place: a capsule has eight devices, one "
                                               "balloon, console and vsock; a switch has "
                                               "64 ports\r\n");
    fake_equip_error = -4;
    says("create i from linux vsock host-disk data read-only", "error: i: refused: who asks has no right to that\r\n");
    fake_equip_error = 0;
    says("create j from linux rng read-only", "error: read-only follows a host-disk\r\n");
    says("create k from linux vsock", "k: id 15\r\nok\r\n");
    equip_is(DIOSIX_DEVICE_VSOCK, "", 0, 0);
    says("create l from linux host-disk data read-only", "l: id 16\r\nok\r\n");
    assert_int_equal(fake_last_function, DIOSIX_ATTACH);
    assert_true(fake_last.n[0] == 16 && fake_last.n[1] == 5 && fake_last.size == 5);
    assert_string_equal(fake_last_buffer, "data");
}

static void test_fork(void **state)
{
    (void)state;
    says("fork linux1", "clone: id 4\r\nok\r\n");
    says("fork linux1 as twin", "twin: id 5\r\nok\r\n");
    says("fork linux1 3 as web", "web1: id 6\r\nweb2: id 7\r\nweb3: id 8\r\nok\r\n");
    says("fork linux1 0", "error: '0' is no count: 1 to 1000\r\n");
    says("fork linux1 as", "error: wrong arguments: fork NAME [COUNT] [as NAME]\r\n");
    says("fork linux1 2 like x", "error: wrong arguments: fork NAME [COUNT] [as NAME]\r\n");
    fake_error = -3;
    says("fork linux1 2 as web", "error: clone 1 of 2: that name is taken, or linux1 is gone\r\n");
}

static void test_machine(void **state)
{
    (void)state;
    type("machine\r");
    expect_in("memory   1G, free 819200K, in one piece 512M, the hypervisor's   3M\r\n");
    expect_in("guests' isa rv64imafdc\r\nhart 0: id 0, idle    0.00 s, runs linux1\r\nhart 1: ");
    expect_in("RAM 0x0080000000 to 0x00805fffff: the hypervisor's\r\nRAM 0x0080600000 to 0x00bfffffff: capsules'\r\n");
}

// Values ----------------------------------------------------------------------------------------------

static void test_values(void **state)
{
    static const struct {
        enum value_kind kind;
        const char *text;
        bool good;
        uint64_t value;
    } cases[] = {
        {VALUE_NUMBER, "0x1F", true, 31},    {VALUE_NUMBER, "", false, 0},
        {VALUE_NUMBER, "0x", false, 0},      {VALUE_NUMBER, "-1", false, 0},
        {VALUE_NUMBER, "12a", false, 0},     {VALUE_NUMBER, "99999999999999999999999", false, 0},
        {VALUE_SIZE, "64m", true, 64 << 20}, {VALUE_SIZE, "4096", true, 4096},
        {VALUE_SIZE, "1MB", false, 0},       {VALUE_SIZE, "99999999T", false, 0},
        {VALUE_HARTS, "all", true, 0},       {VALUE_HARTS, "0-63", true, UINT64_MAX},
        {VALUE_HARTS, "3-1", false, 0},      {VALUE_HARTS, "64", false, 0},
        {VALUE_HARTS, "1,", false, 0},       {VALUE_HARTS, "1-", false, 0},
        {VALUE_RIGHTS, "none", true, 0},     {VALUE_RIGHTS, "console", true, 2},
        {VALUE_RIGHTS, "manage,", false, 0}, {VALUE_RIGHTS, "everything", false, 0},
        {VALUE_FLAG, "on", false, 0},        {VALUE_ISOLATION, "pmp", true, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint64_t value = 0;
        bool good = parse_value(cases[i].kind, cases[i].text, &value);
        if (good != cases[i].good || (good && value != cases[i].value))
            fail_msg("%s", cases[i].text);
    }
}

static void test_words(void **state)
{
    char line[] = "  a \"b  c\" d\"e f\"g \"\" ", many[200], *words[WORDS_MAX];
    (void)state;
    assert_int_equal(parse_words(line, words), 4);
    assert_string_equal(words[1], "b  c");
    assert_string_equal(words[2], "de fg");
    assert_string_equal(words[3], "");
    for (unsigned i = 0; i < sizeof(many); i++)
        many[i] = i % 2 ? ' ' : 'a';
    many[sizeof(many) - 1] = 0;
    assert_int_equal(parse_words(many, words), -2);
}

static void test_units(void **state)
{
    (void)state;
    put_size(0);
    put_size(999);
    put_size(1000);
    put_size(1536ULL << 20);
    put_size(UINT64_MAX);
    put_rate(9999, 1000000000);
    put_rate(10000, 1000000000);
    put_rate(1, 0);
    assert_true(out_flush());
    expect("   0B 999B 0.9K 1.5G  15E 9999  10k    0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_echo_is_plain, setup),
        cmocka_unit_test_setup(test_edit_in_the_middle, setup),
        cmocka_unit_test_setup(test_sequences, setup),
        cmocka_unit_test_setup(test_line_ends, setup),
        cmocka_unit_test_setup(test_rubbish, setup),
        cmocka_unit_test_setup(test_line_too_long, setup),
        cmocka_unit_test_setup(test_history, setup),
        cmocka_unit_test_setup(test_disturbed_line_comes_again, setup),
        cmocka_unit_test_setup(test_completion, setup),
        cmocka_unit_test_setup(test_unknown, setup),
        cmocka_unit_test_setup(test_help, setup),
        cmocka_unit_test_setup(test_list, setup),
        cmocka_unit_test_setup(test_list_ends, setup),
        cmocka_unit_test_setup(test_list_deep_and_changing, setup),
        cmocka_unit_test_setup(test_output_waits_for_room, setup),
        cmocka_unit_test_setup(test_top, setup),
        cmocka_unit_test_setup(test_console, setup),
        cmocka_unit_test_setup(test_log, setup),
        cmocka_unit_test_setup(test_trace, setup),
        cmocka_unit_test_setup(test_calls, setup),
        cmocka_unit_test_setup(test_errors, setup),
        cmocka_unit_test_setup(test_stop, setup),
        cmocka_unit_test_setup(test_destroy, setup),
        cmocka_unit_test_setup(test_set, setup),
        cmocka_unit_test_setup(test_devices, setup),
        cmocka_unit_test_setup(test_set_device, setup),
        cmocka_unit_test_setup(test_attach, setup),
        cmocka_unit_test_setup(test_create, setup),
        cmocka_unit_test_setup(test_create_with_devices, setup),
        cmocka_unit_test_setup(test_fork, setup),
        cmocka_unit_test_setup(test_machine, setup),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_words),
        cmocka_unit_test_setup(test_units, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
