// sources: hypervisor/console/console.c lib/format.c programs/console/keys.c
// sources: hypervisor/console/log.c hypervisor/console/notice.c hypervisor/console/pump.c
// sources: hypervisor/console/screen.c hypervisor/console/stream.c hypervisor/console/terminal.c
// sources: hypervisor/console/view.c
// wrap: -pthread
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clint.h"
#include "console.h"
#include "console_state.h"
#include "log.h"
#include "power.h"
#include "pump.h"
#include "uart.h"

#define DEPTH 16u
#define HZ 1000u // so that a tick is a millisecond
#define RING 1024u
#define STREAMS 4u

// The port: what it was sent, and what it has received. Its FIFO is empty at once, or when a test says
// so, or at random.
static char sent[1 << 22];
static size_t sent_length;
static unsigned fifo; // bytes in it
static bool port_exists, stuck, moody;
static atomic_bool tx_interrupt;
static const char *typed;
static bool off_is_asked;
static uint64_t now;

void keys_off(void)
{
    off_is_asked = true;
}

unsigned uart_tx_depth(void)
{
    return port_exists ? DEPTH : 0;
}

bool uart_tx_ready(void)
{
    if (!stuck && !(moody && rand() % 4))
        fifo = 0;
    return !fifo;
}

void uart_tx(uint8_t byte)
{
    assert_true(sent_length < sizeof(sent));
    assert_true(fifo < DEPTH);
    fifo++;
    sent[sent_length++] = (char)byte;
}

int uart_rx(void)
{
    return typed && *typed ? (uint8_t)*typed++ : -1;
}
void uart_interrupts_on(void) {}
void uart_tx_interrupt(bool on)
{
    tx_interrupt = on;
}
void uart_interrupt_clear(void) {}
uint64_t clint_now(void)
{
    return now;
}
_Noreturn void power_off(bool success)
{
    exit(!success);
}

static jmp_buf stopped;
_Noreturn void panic_stop(void)
{
    longjmp(stopped, 1);
}

static struct stream streams[STREAMS];
static uint8_t rings[STREAMS][RING];
static const char *const names[STREAMS] = {"a", "b", "c", "d"};

// What has been sent since the last look.
#define expect(text)                                                                                                   \
    do {                                                                                                               \
        sent[sent_length] = 0;                                                                                         \
        assert_string_equal(sent, text);                                                                               \
        sent_length = 0;                                                                                               \
    } while (0)

// From here on the port takes what one FIFO holds, now and at each fifo_empty().
static void stick(void)
{
    stuck = true;
    console.budget = 0;
    fifo = DEPTH;
}

// The FIFO's bytes are out: an interrupt, if it was asked for.
static void fifo_empty(void)
{
    fifo = 0;
    if (tx_interrupt)
        console_interrupt();
}

static void unstick(void)
{
    stuck = false;
    while (tx_interrupt)
        console_interrupt();
}

static void forget_sent(void)
{
    sent_length = 0;
}

static bool was_sent(const char *text)
{
    sent[sent_length] = 0;
    return strstr(sent, text);
}

static size_t print(unsigned stream, const char *text)
{
    return stream_write(&streams[stream], (const uint8_t *)text, strlen(text));
}

static void type(const char *keys)
{
    typed = keys;
    console_interrupt();
}

static void read_all(unsigned stream, const char *wanted)
{
    for (; *wanted; wanted++)
        assert_int_equal(stream_read(&streams[stream]), *wanted);
    assert_int_equal(stream_read(&streams[stream]), -1);
}

// The console as at the machine's start, with nothing said yet.
static int setup(void **state)
{
    static struct console console_fresh;
    static struct stream dio_fresh, urgent_fresh, terminal_fresh;
    static bool kept;

    if (!kept) {
        kept = true;
        memcpy(&console_fresh, &console, sizeof(console));
        memcpy(&dio_fresh, &console_dio, sizeof(console_dio));
        memcpy(&urgent_fresh, &console_urgent, sizeof(console_urgent));
        memcpy(&terminal_fresh, &console_terminal, sizeof(console_terminal));
    }
    memcpy(&console, &console_fresh, sizeof(console));
    memcpy(&console_dio, &dio_fresh, sizeof(console_dio));
    memcpy(&console_urgent, &urgent_fresh, sizeof(console_urgent));
    memcpy(&console_terminal, &terminal_fresh, sizeof(console_terminal));
    memset(&screen, 0, sizeof(screen));
    console_events = NULL;
    console_timed = false;
    console_prompt = NULL;
    sent_length = now = fifo = 0;
    port_exists = true;
    tx_interrupt = false;
    stuck = moody = false;
    typed = NULL;
    (void)state;
    return 0;
}

static void start(const char *attach, unsigned count)
{
    console_init(attach, HZ);
    console_start(true);
    for (unsigned i = 0; i < count; i++) {
        stream_init(&streams[i], names[i], rings[i], RING);
        console_add(&streams[i]);
    }
    console_attach();
}

static void start_attached(unsigned count)
{
    start("a", count);
    forget_sent();
}

#define AT_A "[dio] at a - Ctrl-] then n: next capsule, a: all, d: prompt, Q: off, h: help\r\n"
#define AT_B "[dio] at b - Ctrl-] then n: next capsule, a: all, d: prompt, Q: off, h: help\r\n"
#define AT_C "[dio] at c - Ctrl-] then n: next capsule, a: all, d: prompt, Q: off, h: help\r\n"
#define AT_ALL "[dio] all capsules, input to a - Ctrl-] then 1-9: one capsule, d: prompt, Q: off, h: help\r\n"

// What is said before there is a port is kept until there is one.
static void test_early(void **state)
{
    (void)state;
    port_exists = false;
    log_info("first");
    expect("");
    port_exists = true;
    log_info("second %d", 2);
    expect("[dio] first\r\n[dio] second 2\r\n");
}

static void test_lines(void **state)
{
    (void)state;
    start(NULL, 2);
    print(0, "one\ntwo\r\nthr");
    print(1, "other\r\r\n\n");
    expect("[a] one\r\n[a] two\r\n[b] other\r\n[b] \r\n");
    log_error("oops");
    print(0, "ee\n");
    expect("[dio] oops\r\n[a] three\r\n");
}

static void test_partial(void **state)
{
    (void)state;
    start(NULL, 2);
    assert_true(console_deadline() == UINT64_MAX);
    now = 100;
    print(0, "log");
    assert_int_equal(console_deadline(), 150);
    now = 120;
    print(0, "in: ");
    console_poll(150); // there was no silence
    expect("");
    assert_int_equal(console_deadline(), 170);
    console_poll(170);
    expect("[a] login: ");
    assert_true(console_deadline() == UINT64_MAX);

    // The line is open on the screen: what belongs to it is shown at once.
    print(0, "ro");
    expect("ro");
    // Another's line ends it there; it goes on with its prefix.
    print(1, "boot\n");
    expect("\r\n[b] boot\r\n");
    print(0, "ot\n");
    expect("[a] ot\r\n");
}

// A line that was cut and has nothing left but its end leaves no empty line.
static void test_partial_cut_at_its_end(void **state)
{
    (void)state;
    start(NULL, 2);
    print(0, "$ ");
    console_poll(1000);
    print(1, "x\n");
    print(0, "\r\n");
    print(0, "\r\n");
    expect("[a] $ \r\n[b] x\r\n[a] \r\n");
}

static void test_long_line(void **state)
{
    (void)state;
    char text[701];
    memset(text, 'x', 700);
    text[700] = 0;
    start(NULL, 2);
    print(0, text);
    unstick();
    assert_true(sent_length >= 512);
    print(0, "\n");
    unstick();
    assert_int_equal(sent_length, 4 + 700 + 2);
    assert_true(was_sent("[a] xxx") && was_sent("xxx\r\n"));
}

// Nothing that a capsule prints moves the cursor out of its own line.
static void test_filter(void **state)
{
    (void)state;
    start(NULL, 1);
    print(0, "\033[2J\033[1;31mred\033[0m\033]0;title\a!\033(B\n");
    expect("[a] red!\r\n");
    print(0, "50%\r100%\n");
    expect("[a] 50%\r[a] 100%\r\n");
    print(0, "\rab\b\b\b\bc\x7f\x01\a\n");
    expect("[a] ab\b\bc\r\n");
    print(0, "a\302\265\303\233 \302\233\302\302\233\302\033[2J\177b\302c\302\n"); // CSI as one character
    expect("[a] a\302\265\303\233 bc\r\n");
    print(0, "\033]never ended\nnext\n");
    expect("[a] \r\n[a] next\r\n");
    print(0, "\xc3\xa9\b\b\n");
    expect("[a] \xc3\xa9\b\r\n");
}

static void test_attached(void **state)
{
    (void)state;
    start("b", 2);
    expect(AT_B);
    print(1, "\033[2Jraw\r\nbytes\001");
    expect("\033[2Jraw\r\nbytes\001");
    print(0, "unseen\n");
    log_info("kept");
    expect("");
    log_error("seen");
    console_announce("this too");
    now += 50;
    console_interrupt();
    expect("\r\n[dio] seen\r\n[dio] this too\r\n");
    type("\035a");
    expect(AT_ALL "[dio] kept\r\n[a] unseen\r\n");
}

// An urgent line does not tear the one that is just being printed, but does not wait for it without end either.
static void test_attached_line_whole(void **state)
{
    (void)state;
    start_attached(2);
    print(0, "12.1");
    console_announce("first");
    console_announce("second");
    now += 10;
    print(0, "2 20.");
    expect("12.12 20.");
    print(0, "43\n> ");
    expect("43\n[dio] first\r\n[dio] second\r\n> ");
    console_announce("third");
    now += 49;
    console_interrupt();
    expect("");
    assert_true(console_timed);
    now++;
    console_interrupt();
    expect("\r\n[dio] third\r\n");
    print(0, "fast\n");
    expect("fast\n");
    assert_ptr_equal(console.fast, &streams[0]);
}

static void test_attach_first(void **state)
{
    (void)state;
    log_info("hello");
    start("", 2);
    expect("[dio] hello\r\n" AT_A);
}

// Until all are there, the hypervisor's words are shown, and the capsules' kept.
static void test_attach_later(void **state)
{
    (void)state;
    console_init("b", HZ);
    console_start(true);
    for (unsigned i = 0; i < 3; i++) {
        log_info("%s starts", names[i]);
        stream_init(&streams[i], names[i], rings[i], RING);
        console_add(&streams[i]);
        print(i, "x\n");
    }
    expect("[dio] a starts\r\n[dio] b starts\r\n[dio] c starts\r\n");
    console_attach();
    expect(AT_B "x\n");
    log_info("kept");
    expect("");
}

static void test_attach_nobody(void **state)
{
    (void)state;
    start("nobody", 1);
    expect(AT_ALL);
    print(0, "x\n");
    expect("[a] x\r\n");
}

// One that ends before all have been started shows its last words all the same.
static void test_attach_too_late(void **state)
{
    (void)state;
    console_init("a", HZ);
    console_start(true);
    for (unsigned i = 0; i < 2; i++) {
        stream_init(&streams[i], names[i], rings[i], RING);
        console_add(&streams[i]);
    }
    print(0, "last words\n");
    console_remove(&streams[0]);
    expect(AT_A "last words\n" AT_B);
    console_attach();
    expect("");
}

static void test_keys(void **state)
{
    (void)state;
    start_attached(3);
    type("\035n");
    expect(AT_B);
    type("\035p");
    expect(AT_A);
    type("\035P");
    expect(AT_C);
    type("\035N");
    expect(AT_A);
    type("\0352");
    expect(AT_B);
    type("\035");
    type("h");
    assert_true(was_sent("  1 a  *2 b  3 c\r\n"));
    forget_sent();
    type("\0359");
    assert_true(was_sent("this help"));
    forget_sent();
    type("x\035\035y");
    read_all(1, "x\035y");
    type("\035az"); // interleaved: the first capsule's
    read_all(0, "z");
    forget_sent();
    type("\035n");
    expect(AT_A);
    type("\035a");
    forget_sent();
    type("\035p");
    expect(AT_C);
    type("Q\035q"); // neither without the escape key nor the small letter
    assert_false(off_is_asked);
    type("\035Q");
    assert_true(off_is_asked);
    off_is_asked = false;
}

static void test_keys_without_capsules(void **state)
{
    (void)state;
    start(NULL, 0);
    type("abc\035n\035p\0351");
    console_interrupt(); // the rest: one interrupt moves no more than a bounded part
    assert_true(was_sent("this help"));
    forget_sent();
    type("\035a");
    expect("[dio] all capsules - Ctrl-] then 1-9: one capsule, d: prompt, Q: off, h: help\r\n");
}

// Switching shows the line again in which the cursor was: the prompt.
static void test_rewind(void **state)
{
    (void)state;
    start_attached(2);
    print(0, "done\r\n~ # ");
    forget_sent();
    type("\035n");
    expect("\r\n" AT_B);
    print(1, "first\nsecond");
    type("\035p");
    expect("first\nsecond\r\n" AT_A "~ # ");
    type("\035n");
    expect("\r\n" AT_B "second");
}

static void test_rewind_too_long(void **state)
{
    (void)state;
    start_attached(2);
    for (unsigned i = 0; i < 300; i++)
        print(0, "x");
    type("\035n\035p");
    assert_true(was_sent("xxx\r\n" AT_A) && !was_sent(AT_A "x"));
}

static void test_input(void **state)
{
    (void)state;
    start_attached(2);
    assert_null(console_next_event());
    type("ls\r");
    assert_ptr_equal(console_next_event(), &streams[0]);
    assert_null(console_next_event());
    assert_true(stream_has_input(&streams[0]));
    read_all(0, "ls\r");
    assert_false(stream_has_input(&streams[0]));
    assert_false(tx_interrupt);
}

static void test_input_full(void **state)
{
    (void)state;
    char keys[STREAM_INPUT_SIZE + 2];
    memset(keys, 'k', sizeof(keys) - 1);
    keys[sizeof(keys) - 1] = 0;
    start_attached(1);
    typed = keys;
    while (*typed)
        console_interrupt();
    expect("[dio] a does not read: 1 bytes of input lost\r\n");
    type("l");
    expect("");
    keys[STREAM_INPUT_SIZE] = 0;
    read_all(0, keys);
    type("m");
    expect("[dio] a does not read: 2 bytes of input lost\r\n");
    read_all(0, "m");
}

// The port is full: the rest follows by its interrupt, and nothing is lost.
static void test_interrupt(void **state)
{
    (void)state;
    start_attached(1);
    stick();
    fifo_empty();
    print(0, "0123456789abcdefXYZ");
    expect("0123456789abcdef");
    assert_true(tx_interrupt);
    print(0, "!");
    expect("");
    fifo_empty();
    expect("XYZ!");
    assert_false(tx_interrupt);
}

static void test_backpressure(void **state)
{
    (void)state;
    static char text[2 * RING];
    memset(text, 't', sizeof(text) - 1);
    start_attached(2);
    stick();
    assert_int_equal(print(0, text), RING);
    assert_false(stream_room(&streams[0]));
    assert_int_equal(print(0, "x"), 0);
    assert_true(stream_room(&streams[1])); // nobody looks at it: it never waits
    assert_int_equal(print(1, text), sizeof(text) - 1);
    assert_null(console_next_event());

    unsigned interrupts = 0;
    struct stream *s;
    do {
        fifo_empty();
        interrupts++;
    } while (!(s = console_next_event()));
    assert_ptr_equal(s, &streams[0]);
    assert_int_equal(interrupts, RING / 4 / DEPTH);
    assert_true(stream_room(&streams[0]));
    assert_int_equal(print(0, "end"), 3);
    unstick();
    assert_int_equal(sent_length, RING + 3);
    assert_null(console_next_event());
}

// Whoever waits for room gets it when the person looks elsewhere.
static void test_backpressure_ends_with_watching(void **state)
{
    (void)state;
    static char text[RING + 1];
    memset(text, 't', RING);
    start_attached(2);
    stick();
    print(0, text);
    assert_false(stream_room(&streams[0]));
    type("\035n");
    assert_ptr_equal(console_next_event(), &streams[0]);
    assert_true(stream_room(&streams[0]));
    assert_int_equal(print(0, text), RING);
    unstick();
    expect(AT_B);
    type("\035p");
    unstick();
    assert_true(was_sent("[dio] a: 1024 bytes of output dropped\r\n"));
}

// An event that another hart's push made is announced by the interrupt.
static void test_event_by_push(void **state)
{
    (void)state;
    static char text[RING + 1];
    memset(text, 't', RING);
    text[RING - 1] = '\n';
    start(NULL, 2);
    stick();
    while (stream_room(&streams[0]))
        print(0, text);
    stuck = false;
    while (sent_length < RING)
        print(1, "x\n");
    assert_true(tx_interrupt);
    assert_ptr_equal(console_next_event(), &streams[0]);
    assert_null(console_next_event());
}

static void test_overwrite(void **state)
{
    (void)state;
    start_attached(2);
    for (unsigned i = 0; i < 1000; i++)
        print(1, "0123456\n");
    type("\035n");
    unstick();
    static char wanted[RING + 1];
    for (unsigned i = 0; i < RING / 8; i++)
        strcat(wanted, "0123456\n");
    assert_true(was_sent("[dio] b: 6976 bytes of output dropped\r\n"));
    assert_string_equal(sent + sent_length - RING, wanted);
    assert_true(strlen(sent) == strlen(AT_B) + strlen("[dio] b: 6976 bytes of output dropped\r\n") + RING);
}

static void test_overwrite_at_once(void **state)
{
    (void)state;
    static char text[3 * RING + 1];
    for (unsigned i = 0; i < 3 * RING; i++)
        text[i] = (char)('a' + i % 26);
    start_attached(2);
    print(1, "lost");
    assert_int_equal(print(1, text), 3 * RING);
    type("\035n");
    unstick();
    assert_true(was_sent("[dio] b: 2052 bytes of output dropped\r\n"));
    assert_string_equal(sent + sent_length - RING, text + 2 * RING);
}

// One exit moves no more than so much for others; the interrupt goes on.
static void test_bounded(void **state)
{
    (void)state;
    static char text[RING + 1];
    memset(text, 't', RING);
    start_attached(1);
    console.budget = 0;
    assert_int_equal(print(0, text), RING);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(sent_length, i * 16 * DEPTH);
        assert_true(tx_interrupt);
        console_interrupt();
    }
    assert_int_equal(sent_length, RING);
    assert_false(tx_interrupt);
}

static void test_remove(void **state)
{
    (void)state;
    start_attached(3);
    print(0, "bye");
    type("k");
    console_remove(&streams[0]);
    assert_null(console_next_event());
    expect("bye\r\n" AT_B);
    type("k");
    read_all(1, "k");
    console_remove(&streams[2]);
    console_remove(&streams[1]);
    expect("");
    log_info("the end");
    expect("[dio] the end\r\n");
    type("x");
}

// Last words are shown, even if the line has no end and another's turn comes next.
static void test_remove_interleaved(void **state)
{
    (void)state;
    start(NULL, 2);
    print(0, "last words");
    print(1, "partial");
    console_remove(&streams[0]);
    expect("[a] last words\r\n"
           "[dio] all capsules, input to b - Ctrl-] then 1-9: one capsule, d: prompt, Q: off, h: help\r\n");
    console_poll(1000);
    expect("[b] partial");
}

static void test_remove_with_a_dead_port(void **state)
{
    (void)state;
    start_attached(2);
    stick();
    print(0, "never seen");
    console_remove(&streams[0]);
    unstick();
    expect(AT_B);
}

static void test_flush(void **state)
{
    (void)state;
    start(NULL, 1);
    stick();
    print(0, "a line\nand a part");
    stuck = false;
    moody = true;
    console_flush();
    expect("[a] a line\r\n[a] and a part");
}

static void test_polled(void **state)
{
    (void)state;
    console_init("", HZ);
    console_start(false);
    stream_init(&streams[0], "a", rings[0], RING);
    console_add(&streams[0]);
    console_attach();
    forget_sent();
    stick();
    print(0, "0123456789abcdefg");
    assert_false(tx_interrupt);
    stuck = false;
    typed = "k";
    console_poll(console_deadline());
    expect("0123456789abcdefg");
    assert_ptr_equal(console_next_event(), &streams[0]);
    read_all(0, "k");
    assert_true(console_deadline() == 10);
}

// Log lines while the port is stuck: whole ones are kept as far as there is room, the rest counted.
static void test_log_full(void **state)
{
    (void)state;
    start(NULL, 0);
    stick();
    for (unsigned i = 0; i < 1000; i++)
        log_info("line %03u", i); // 9 bytes with its end
    unstick();
    unsigned lines = 0, dropped = 0;
    for (char *line = strtok(sent, "\n"); line; line = strtok(NULL, "\n"))
        if (sscanf(line, "[dio] dio: %u bytes", &dropped) != 1)
            lines += sscanf(line, "[dio] line %*u%n", &(int){0}) == 0 && strlen(line) == strlen("[dio] line 000\r");
    assert_true(lines >= 4096 / 9);
    assert_int_equal(lines * 9 + dropped, 1000 * 9);
}

// A panic speaks whoever holds the locks, and shows what was not seen yet.
static void test_panic(void **state)
{
    (void)state;
    start_attached(1);
    log_info("a hint");
    assert_true(latch_try(&console.lock));
    log_error("while locked");
    assert_true(latch_try(&console_dio.lock));
    if (!setjmp(stopped))
        panic("broken");
    expect("\r\na hint\r\nwhile locked\r\n[dio] panic: broken\r\n");
    log_error("still speaking");
}

// Several harts ---------------------------------------------------------------------------------------

// Threads stand for them. On a bare hart there are none.
#if __has_include(<pthread.h>)
#include <pthread.h>
#include <sched.h>

#define LINES 3000u

static atomic_bool done;
static atomic_uint events;

static void *writer(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    for (unsigned i = 0; i < LINES; i++) {
        char text[32];
        size_t length = (size_t)sprintf(text, "%s line %u\r\n", names[me], i), at = 0;
        while (at < length) {
            at += stream_write(&streams[me], (const uint8_t *)text + at, i % 3 ? length - at : 1);
            while (!stream_room(&streams[me]))
                sched_yield();
        }
    }
    return NULL;
}

static void *logger(void *argument)
{
    for (unsigned i = 0; i < 300; i++) {
        log_error("log line %u", i);
        sched_yield();
    }
    return argument;
}

// A level-triggered line: as long as the console wants it.
static void *interrupter(void *argument)
{
    static const char *const keys[] = {"\035n", "\035a", "\035p", "\0353", "\035h", "x"};
    const bool *switching = argument;
    while (!done) {
        if (*switching && rand() % 64 == 0)
            typed = keys[rand() % array_length(keys)];
        if (tx_interrupt || typed)
            console_interrupt();
        if (typed && !*typed)
            typed = NULL;
        while (console_next_event())
            events++;
        sched_yield();
    }
    return argument;
}

static void run_threads(unsigned writers, bool switching)
{
    pthread_t threads[STREAMS], log_thread, interrupt_thread;
    moody = true;
    done = false;
    pthread_create(&interrupt_thread, NULL, interrupter, &switching);
    pthread_create(&log_thread, NULL, logger, NULL);
    for (unsigned i = 0; i < writers; i++)
        pthread_create(&threads[i], NULL, writer, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < writers; i++)
        pthread_join(threads[i], NULL);
    pthread_join(log_thread, NULL);
    // Nothing but the interrupt moves what is left: a lost wake-up would leave it there for ever.
    while (tx_interrupt)
        sched_yield();
    done = true;
    pthread_join(interrupt_thread, NULL);
    while (tx_interrupt) // asked for by its last round, which may have ended after we looked
        console_interrupt();
    sent[sent_length] = 0;
}

// Every line is whole, in order within its source, and none is missing.
static void test_threads_interleaved(void **state)
{
    (void)state;
    unsigned next[STREAMS] = {0}, logged = 0;
    start(NULL, STREAMS);
    run_threads(STREAMS, false);
    for (char *line = strtok(sent, "\n"); line; line = strtok(NULL, "\n")) {
        char name[8], again[8];
        unsigned number, length = 0;
        if (strstr(line, "dropped")) {
            continue;
        } else if (sscanf(line, "[%1[abcd]] %1[abcd] line %u\r%n", name, again, &number, &length) == 3) {
            assert_string_equal(name, again);
            assert_int_equal(number, next[*name - 'a']++);
        } else {
            assert_int_equal(sscanf(line, "[dio] log line %u\r%n", &number, &length), 1);
            assert_true(number >= logged);
            logged = number + 1;
        }
        assert_int_equal(length, strlen(line));
    }
    for (unsigned i = 0; i < STREAMS; i++)
        assert_int_equal(next[i], LINES);
    assert_true(logged);
}

static void test_threads_attached(void **state)
{
    (void)state;
    unsigned next = 0;
    start_attached(STREAMS);
    run_threads(STREAMS, false);
    char *at = sent;
    for (char *line = strstr(sent, "a line"); line; line = strstr(at, "a line")) {
        at = line + 1;
        next++;
    }
    assert_true(next > 0);
    assert_null(strstr(sent, "b line"));

    // Without the hypervisor's lines, exactly what the capsule has printed is left.
    static char all[1 << 20];
    size_t length = 0, printed = 0;
    for (char *line = sent; *line;) {
        char *end = strstr(line, "\r\n") + 2;
        if (strncmp(line, "[dio] ", 6)) {
            memcpy(all + length, line, (size_t)(end - line));
            length += (size_t)(end - line);
        }
        line = end;
    }
    for (unsigned i = 0; i < LINES; i++)
        printed += (size_t)snprintf(NULL, 0, "a line %u\r\n", i);
    assert_true(length >= printed); // a log line may have broken one of them in two
}

// While a person goes from view to view, nobody hangs, and all that is not watched is kept.
static void test_threads_switching(void **state)
{
    (void)state;
    start_attached(STREAMS);
    run_threads(STREAMS, true);
    type("\035a");
    console_flush();
    for (unsigned i = 0; i < STREAMS; i++)
        assert_int_equal(streams[i].shown, streams[i].head);
}

static void *silent_writer(void *argument)
{
    static const uint8_t zeros[RING];
    while (!done)
        stream_write(&streams[(uintptr_t)argument], zeros, sizeof(zeros));
    return NULL;
}

static uint32_t shown_in_all(void)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < STREAMS; i++)
        sum += streams[i].shown;
    return sum;
}

// What shows nothing takes no room at the port; an exit ends all the same, and nothing is left behind.
static void test_threads_silent(void **state)
{
    (void)state;
    pthread_t threads[STREAMS];
    start(NULL, STREAMS);
    done = false;
    for (unsigned i = 0; i < STREAMS; i++)
        pthread_create(&threads[i], NULL, silent_writer, (void *)(uintptr_t)i);
    while (streams[STREAMS - 1].head < 100 * RING)
        sched_yield();
    for (unsigned round = 0; round < 1000; round++) {
        console_acquire();
        uint32_t before = shown_in_all();
        pump_all();
        assert_true(shown_in_all() - before <= 16 * 512);
        console_release();
    }
    done = true;
    for (unsigned i = 0; i < STREAMS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned round = 0; round < 20; round++) {
        now += HZ;
        console_poll(now);
    }
    for (unsigned i = 0; i < STREAMS; i++)
        assert_int_equal(streams[i].shown, streams[i].head);
}
#else
#define test_threads_interleaved no_threads
#define test_threads_attached no_threads
#define test_threads_switching no_threads
#define test_threads_silent no_threads
static void no_threads(void **state)
{
    (void)state;
    skip();
}
#endif

// The prompt is one more place to go to, in neither view's turn.
static uint8_t prompt_ring[RING];
static struct stream prompt;

static void start_with_prompt(const char *attach, unsigned count)
{
    stream_init(&prompt, "the prompt", prompt_ring, RING);
    console_prompt_set(&prompt);
    start(attach, count);
    forget_sent();
}

#define AT_PROMPT "[dio] at the prompt - Ctrl-] then n: next capsule, a: all, Q: off, h: help\r\n"

static void prompt_says(const char *text)
{
    assert_int_equal(stream_write(&prompt, (const uint8_t *)text, strlen(text)), strlen(text));
}

static void prompt_is_told(void)
{
    assert_ptr_equal(console_next_event(), &prompt);
    assert_true(console_is_prompt(&prompt));
}

static void test_prompt(void **state)
{
    (void)state;
    start_with_prompt("b", 3);
    assert_false(console_at_prompt());
    type("\x1d"
         "dx");
    expect(AT_PROMPT);
    assert_true(console_at_prompt());
    prompt_is_told();
    assert_null(console_next_event());
    assert_true(console_prompt_disturbed());
    assert_false(console_prompt_disturbed());
    assert_int_equal(stream_read(&prompt), 'x');
    assert_int_equal(stream_read(&prompt), -1);
    prompt_says("dio> ");
    print(0, "unseen\r\n");
    expect("dio> ");
    // An urgent line interrupts it, and it is told.
    log_error("oops");
    expect("\r\n[dio] oops\r\n");
    prompt_is_told();
    assert_true(console_prompt_disturbed());
    // From there to capsules as from anywhere else.
    type("\x1dn");
    expect("[dio] at a - Ctrl-] then n: next capsule, a: all, d: prompt, Q: off, h: help\r\nunseen\r\n");
    type("\x1d\r");
    assert_true(was_sent(AT_PROMPT));
    type("\x1dp");
    assert_true(was_sent("[dio] at c - "));
    assert_false(console_at_prompt());
}

// Nobody waits for a prompt that nobody looks at, and no view of all shows it.
static void test_prompt_unseen(void **state)
{
    (void)state;
    start_with_prompt(NULL, 2);
    type("\x1d\n\x1d"
         "a");
    forget_sent();
    prompt_says("hidden\n");
    for (unsigned i = 0; i < RING / 4; i++)
        prompt_says("0123456789");
    console_flush();
    expect("");
    type("\x1d"
         "D");
    assert_true(was_sent(" bytes of output dropped"));
    assert_true(was_sent("0123456789"));
}

static void test_prompt_goes_to_capsule(void **state)
{
    (void)state;
    start_with_prompt("a", 2);
    type("\x1d"
         "d");
    forget_sent();
    assert_true(console_has("b"));
    assert_false(console_has("nobody"));
    assert_false(console_go("the prompt"));
    assert_true(console_at_prompt());
    assert_true(console_go("b"));
    assert_true(was_sent("[dio] at b - "));
    assert_false(console_at_prompt());
    // A capsule that goes leaves the person at the prompt there.
    type("\x1d"
         "d");
    forget_sent();
    console_remove(&streams[1]);
    console_remove(&streams[0]);
    assert_true(console_at_prompt());
    expect("");
    type("\x1dn\x1d" // there is no other place: help
         "a");
    assert_false(console_at_prompt());
}

// However much they print, the key leads to the prompt, and then it alone is shown.
static void test_prompt_in_a_flood(void **state)
{
    (void)state;
    start_with_prompt(NULL, 2);
    stick();
    print(0, "flood flood flood flood flood flood flood flood\n");
    print(1, "flood flood flood flood flood flood flood flood\n");
    type("\x1d"
         "d");
    unstick();
    forget_sent();
    print(0, "flood\n");
    prompt_says("dio> ");
    expect("dio> ");
}

// A console service ---------------------------------------------------------------------------------

static void start_kept(unsigned count)
{
    start("a", count);
    console_keep(true);
    assert_true(console_is_kept());
    forget_sent();
}

static void show(const char *text)
{
    assert_int_equal(stream_write(&console_terminal, (const uint8_t *)text, strlen(text)), strlen(text));
}

static bool terminal_event(void)
{
    struct stream *s = console_next_event();
    assert_true(!s || console_is_terminal(s));
    return s;
}

// Nothing is shown but what the service writes, and that as it is.
static void test_keep(void **state)
{
    start_kept(2);
    print(0, "hello\n");
    log_error("error");
    expect("");
    show("\x1b[Hraw");
    expect("\x1b[Hraw");
    assert_true(console_owes(&streams[0]));
    assert_true(console_owes(&console_urgent));
    assert_false(console_owes(&console_dio));
    assert_false(console_owes(&streams[1]));
    (void)state;
}

// One event says that there is news, until the service begins to look.
static void test_keep_news(void **state)
{
    start_kept(2);
    print(0, "one");
    assert_true(terminal_event());
    print(0, "two");
    print(1, "three");
    assert_false(terminal_event());
    console_news_begin();
    print(1, "four");
    assert_true(terminal_event());
    show("shown by the service");
    assert_false(terminal_event());
    (void)state;
}

// All keys are the service's, the escape key too.
static void test_keep_keys(void **state)
{
    start_kept(1);
    type("x\x1dn");
    assert_true(terminal_event());
    assert_int_equal(stream_read(&console_terminal), 'x');
    assert_int_equal(stream_read(&console_terminal), CONSOLE_ESCAPE);
    assert_int_equal(stream_read(&console_terminal), 'n');
    assert_int_equal(stream_read(&console_terminal), -1);
    expect("");
    (void)state;
}

// One is starting: keys wait for it, and what is printed does not.
static void test_keep_is_expected(void **state)
{
    start(NULL, 1);
    console_expect(true);
    type("x\x1d");
    print(0, "hello\n");
    expect("[a] hello\r\n");
    console_keep(true);
    assert_int_equal(stream_read(&console_terminal), 'x');
    assert_int_equal(stream_read(&console_terminal), CONSOLE_ESCAPE);
    console_keep(false);
    console_expect(true);
    console_expect(false); // it ended before it began
    type("y");
    read_all(0, "y");
    console_expect(true);
    for (unsigned i = 0; i < STREAM_INPUT_SIZE; i++)
        type("z");
    read_all(0, "");
    type("z"); // which is lost
    read_all(0, "");
    now += 3 * HZ;
    type("z"); // it does not come
    type("y");
    read_all(0, "y");
    (void)state;
}

// A writer waits for the service, but only where that watches it.
static void test_keep_waits(void **state)
{
    static char text[RING + 2];

    start_kept(2);
    memset(text, 'x', RING + 1);
    assert_int_equal(print(0, text), RING);
    assert_false(console_shown(&streams[0], RING + 1));
    while (console_next_event()) {
    }
    assert_true(console_shown(&streams[0], RING / 2));
    assert_ptr_equal(console_next_event(), &streams[0]);
    assert_true(stream_room(&streams[0]));

    console_watch(&streams[1], false);
    text[RING - 1] = 0;
    assert_int_equal(print(1, text), RING - 1);
    assert_int_equal(print(1, "abc"), 3);
    console_watch(&streams[1], true);
    assert_int_equal(streams[1].shown, 2); // what was lost will never be
    (void)state;
}

// What the service did not call shown is shown when it has gone, after its own last words.
static void test_keep_ends(void **state)
{
    start_kept(2);
    print(0, "shown\nnot shown\n");
    assert_true(console_shown(&streams[0], 6));
    print(1, "nor this\n");
    stick();
    show("the service's last words\r\n");
    console_keep(false);
    assert_false(was_sent("not"));
    unstick();
    expect("the service's last words\r\n" AT_ALL "[a] not shown\r\n[b] nor this\r\n");
    type("k");
    while (console_next_event()) {
    }
    assert_int_equal(stream_read(&streams[0]), 'k');
    (void)state;
}

// Notices that the service has shown are not shown again.
static void test_keep_notices(void **state)
{
    start_kept(1);
    log_error("one");
    log_error("two");
    assert_true(console_shown(&console_urgent, console_urgent.head));
    log_error("three");
    console_flush();
    expect("[dio] three\r\n");
    (void)state;
}

// One that does not read loses the terminal.
static void test_keep_deaf(void **state)
{
    start_kept(1);
    for (unsigned i = 0; i < STREAM_INPUT_SIZE; i++)
        type("x");
    type("x");
    now += 3 * HZ;
    assert_int_equal(stream_read(&console_terminal), 'x'); // just slow
    type("y");
    type("x");
    assert_true(console_is_kept());
    now += 3 * HZ;
    type("x");
    assert_false(console_is_kept());
    assert_true(was_sent("the console service does not read\r\n"));
    type("\x1d"
         "1");
    assert_true(was_sent(AT_A));
    (void)state;
}

// Who is added is watched; who goes does not wait for the service.
static void test_keep_comes_and_goes(void **state)
{
    start_kept(1);
    stream_init(&streams[1], names[1], rings[1], RING);
    console_add(&streams[1]);
    assert_true(stream_watched(&streams[1]));
    print(1, "last words\n");
    console_remove(&streams[1]);
    expect("");
    (void)state;
}

// The machine's end, and a service that came before the hypervisor's own view was settled. What it looked at is shown
// to its end; what it did not is not.
static void test_keep_flush(void **state)
{
    console_init("a", HZ);
    console_start(true);
    for (unsigned i = 0; i < 2; i++) {
        stream_init(&streams[i], names[i], rings[i], RING);
        console_add(&streams[i]);
    }
    console_keep(true);
    console_attach();
    assert_true(console_is_kept());
    forget_sent();
    console_watch(&streams[0], true);
    console_watch(&streams[1], false);
    print(0, "rest\n");
    print(1, "unseen\n");
    show("service\r\n");
    console_announce("off");
    console_flush();
    expect("service\r\n[dio] off\r\n[a] rest\r\n");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_early, setup),
        cmocka_unit_test_setup(test_lines, setup),
        cmocka_unit_test_setup(test_partial, setup),
        cmocka_unit_test_setup(test_partial_cut_at_its_end, setup),
        cmocka_unit_test_setup(test_long_line, setup),
        cmocka_unit_test_setup(test_filter, setup),
        cmocka_unit_test_setup(test_attached, setup),
        cmocka_unit_test_setup(test_attached_line_whole, setup),
        cmocka_unit_test_setup(test_attach_first, setup),
        cmocka_unit_test_setup(test_attach_later, setup),
        cmocka_unit_test_setup(test_attach_nobody, setup),
        cmocka_unit_test_setup(test_attach_too_late, setup),
        cmocka_unit_test_setup(test_keys, setup),
        cmocka_unit_test_setup(test_keys_without_capsules, setup),
        cmocka_unit_test_setup(test_rewind, setup),
        cmocka_unit_test_setup(test_rewind_too_long, setup),
        cmocka_unit_test_setup(test_input, setup),
        cmocka_unit_test_setup(test_input_full, setup),
        cmocka_unit_test_setup(test_interrupt, setup),
        cmocka_unit_test_setup(test_backpressure, setup),
        cmocka_unit_test_setup(test_backpressure_ends_with_watching, setup),
        cmocka_unit_test_setup(test_event_by_push, setup),
        cmocka_unit_test_setup(test_overwrite, setup),
        cmocka_unit_test_setup(test_overwrite_at_once, setup),
        cmocka_unit_test_setup(test_bounded, setup),
        cmocka_unit_test_setup(test_remove, setup),
        cmocka_unit_test_setup(test_remove_interleaved, setup),
        cmocka_unit_test_setup(test_remove_with_a_dead_port, setup),
        cmocka_unit_test_setup(test_flush, setup),
        cmocka_unit_test_setup(test_polled, setup),
        cmocka_unit_test_setup(test_log_full, setup),
        cmocka_unit_test_setup(test_threads_interleaved, setup),
        cmocka_unit_test_setup(test_threads_attached, setup),
        cmocka_unit_test_setup(test_threads_switching, setup),
        cmocka_unit_test_setup(test_threads_silent, setup),
        cmocka_unit_test_setup(test_keep, setup),
        cmocka_unit_test_setup(test_keep_news, setup),
        cmocka_unit_test_setup(test_keep_keys, setup),
        cmocka_unit_test_setup(test_keep_is_expected, setup),
        cmocka_unit_test_setup(test_keep_waits, setup),
        cmocka_unit_test_setup(test_keep_ends, setup),
        cmocka_unit_test_setup(test_keep_notices, setup),
        cmocka_unit_test_setup(test_keep_deaf, setup),
        cmocka_unit_test_setup(test_keep_comes_and_goes, setup),
        cmocka_unit_test_setup(test_keep_flush, setup),
        cmocka_unit_test_setup(test_panic, setup), // last: it leaves its locks held
        cmocka_unit_test_setup(test_prompt, setup),
        cmocka_unit_test_setup(test_prompt_unseen, setup),
        cmocka_unit_test_setup(test_prompt_goes_to_capsule, setup),
        cmocka_unit_test_setup(test_prompt_in_a_flood, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
