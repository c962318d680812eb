// The management service by its socket, at CID 2.
#include <stdarg.h>
#include <string.h>

#include "print.h"
#include "ring.h"
#include "suite.h"

#define SERVICE_PORT 3344u
#define PORT 1000u

enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE };

struct header {
    uint32_t from[2], to[2], from_port, to_port, length, type_op, flags, room, taken;
};

static struct ring rx, tx;
static uint32_t read_bytes; // of what came by the connection

static bool start(void)
{
    if (!ring_device_begin(19, 1))
        return false;
    ring_start(&rx, 0, RING_BUFFER, true);
    ring_start(&tx, 1, RING_BUFFER, false);
    bool goes = ring_device_go();
    ring_give_all(&rx);
    read_bytes = 0;
    return goes;
}

static void send(unsigned op, uint32_t port, uint32_t to_port, const char *text)
{
    struct header h = {.from = {*ring_register(0x100)},
                       .to = {2},
                       .from_port = port,
                       .to_port = to_port,
                       .length = strlen(text),
                       .type_op = 1 | op << 16,
                       .flags = op == SHUTDOWN ? 3 : 0,
                       .room = 4096,
                       .taken = read_bytes};
    memcpy(tx.buffers[0], &h, sizeof h);
    memcpy(tx.buffers[0] + sizeof h, text, h.length);
    ring_send(&tx, sizeof h + h.length);
}

// The operation of the next packet within some time, its bytes appended to what `text` holds; 0: none came.
static unsigned next(char *text, size_t room)
{
    uint32_t written, n;
    uint8_t *at = NULL;
    if (!wait_for((at = ring_take(&rx, &written, &n)) != NULL, PATIENCE))
        return 0;
    struct header h;
    size_t length = strlen(text);
    memcpy(&h, at, sizeof h);
    if (h.length < room - length) {
        memcpy(text + length, at + sizeof h, h.length);
        text[length + h.length] = 0;
    }
    read_bytes += h.length;
    ring_give(&rx, n);
    return h.type_op >> 16;
}

static char line[2048];

static const char *line_make(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *line_make(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_format(line, sizeof line, format, arguments);
    va_end(arguments);
    return line;
}

// The answer's line.
static const char *answer(enum diosix_call function, uint32_t id, unsigned size)
{
    static char text[4096];
    text[0] = 0;
    send(RW, PORT, SERVICE_PORT, line_make("%u %u 0 0 %u\n", (unsigned)function, (unsigned)id, size));
    while (!strchr(text, '\n')) {
        if (!next(text, sizeof text))
            return "nothing came";
        send(CREDIT_UPDATE, PORT, SERVICE_PORT, "");
    }
    return text;
}

void socket_service(void)
{
    char none[8] = "";
    skip_if(!start(), "no socket device");
    uint32_t id = child_create("talked-of", "role=idle");
    send(REQUEST, PORT, SERVICE_PORT, "");
    check(id && next(none, sizeof none) == RESPONSE, "no connection");
    check(!strcmp(answer(DIOSIX_START, id, 0), "0 0\n"), "not started");
    check(child_becomes(id, DIOSIX_RUNNING), "does not run");
    const char *said = answer(DIOSIX_NEXT, 0, 0);
    check(!strcmp(said, line_make("0 %u\n", (unsigned)id)), "%s", said);
    said = answer(DIOSIX_NEXT, id, 0); // nobody else is there for us
    check(!strcmp(said, "0 0\n"), "%s", said);
    said = answer(DIOSIX_STATUS, id, 10);
    check(strstr(said, " 74616c6b65642d6f6600\n"), "%s", said);
    check(!strcmp(answer(DIOSIX_KILL, 2, 0), "-3 0\n"), "reached");
    check(!strcmp(answer(DIOSIX_KEEP, 1, 0), "-4 0\n"), "keeps the terminal");
    check(!strcmp(answer(DIOSIX_KILL, id, 0), "0 0\n"), "not killed");
    check(child_becomes(id, DIOSIX_STOPPED), "goes on");
    check(!strcmp(answer(DIOSIX_DESTROY, id, 0), "0 0\n"), "not destroyed");
    send(SHUTDOWN, PORT, SERVICE_PORT, "");
    check(next(none, sizeof none) == RST, "not ended");
}

void socket_refusals(void)
{
    char none[8] = "";
    skip_if(!start(), "no socket device");
    send(REQUEST, PORT, 77, "");
    check(next(none, sizeof none) == RST, "somebody is at another port");
    send(REQUEST, 1024, SERVICE_PORT, "");
    check(next(none, sizeof none) == RST, "a port that anybody may have");
    send(RW, PORT, SERVICE_PORT, "2 0 0 0 0\n");
    check(next(none, sizeof none) == RST, "without a connection");
    for (uint32_t i = 0; i < 5; i++) {
        send(REQUEST, PORT + i, SERVICE_PORT, "");
        check(next(none, sizeof none) == (i < 4 ? RESPONSE : RST), "connection %u", (unsigned)i);
    }
    *ring_register(0x70) = 0;
}
