// Management calls as the hypervisor's service takes them: a line of numbers, answered by another (docs/vsock.md).
#include <string.h>

#include "ask.h"
#include "format.h"
#include "guest.h"
#include "prompt.h"
#include "service.h"

#define HYPERVISOR 2u
#define SERVICE_PORT 3344u
#define TRUSTED_PORT_LAST 1023u // ports that Linux gives to root alone, and the service listens to
#define TRUSTED_PORT_FIRST 512u
#define LINE_ROOM (2 * SERVICE_DATA + 128)

_Static_assert(sizeof(union answer) <= SERVICE_DATA, "the commands ask for no more than the service gives");

static int service = -1;

bool service_connect(void)
{
    uint32_t port = TRUSTED_PORT_LAST;
    uint64_t value;

    service = socket_new();
    while (port >= TRUSTED_PORT_FIRST && socket_to(service, SYSTEM_BIND, CID_ANY, port) != 0)
        port--;
    if (port < TRUSTED_PORT_FIRST)
        die("no port is free that only root may have", ": are you root?");
    if (socket_to(service, SYSTEM_CONNECT, HYPERVISOR, SERVICE_PORT) != 0)
        die("the hypervisor does not answer", ": end other connections; has its capsule a `vsock`?");
    if (prompt_call(DIOSIX_NEXT, (const uint64_t[3]){0}, NULL, 0, &value) != SBI_ERR_DENIED)
        return true;
    put(STDERR, "error: this capsule may not manage others: its manifest gives `rights: [manage]`\n");
    return false;
}

// Which calls read what they are given; others only write.
static bool is_read(enum diosix_call function)
{
    switch (function) {
    case DIOSIX_CREATE:
    case DIOSIX_FORK:
    case DIOSIX_INPUT:
    case DIOSIX_ATTACH:
    case DIOSIX_EQUIP:
        return true;
    default:
        return false;
    }
}

static void request_send(enum diosix_call function, const uint64_t n[3], const uint8_t *data, size_t size)
{
    char line[LINE_ROOM];
    typedef unsigned long long ull;
    size_t length = format_print(line, sizeof(line), "%u %llu %llu %llu %llu ", (unsigned)function, (ull)n[0],
                                 (ull)n[1], (ull)n[2], (ull)size);

    for (size_t i = 0; is_read(function) && i < size; i++)
        length += format_print(line + length, sizeof(line) - length, "%02x", (unsigned)data[i]);
    line[length++] = '\n';
    if (!system_write_all(service, line, length))
        die("the hypervisor has hung up", "");
}

// The answer's line, without its end.
static void answer_read(char line[LINE_ROOM])
{
    size_t length = 0;

    while (!memchr(line, '\n', length)) {
        long got = length < LINE_ROOM
                       ? system_call(SYSTEM_READ, service, (long)(line + length), (long)(LINE_ROOM - length), 0, 0)
                       : 0;
        if (got <= 0)
            die("the hypervisor has hung up", "");
        length += (size_t)got;
    }
    line[length - 1] = 0; // no more comes than was asked for
}

static uint64_t number_take(char **at)
{
    uint64_t value = 0;

    while (**at >= '0' && **at <= '9')
        value = 10 * value + (uint64_t)(*(*at)++ - '0');
    if (**at == ' ')
        ++*at;
    return value;
}

static unsigned digit_of(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10) & 15;
}

long prompt_call(enum diosix_call function, const uint64_t n[3], void *buffer, size_t size, uint64_t *value)
{
    char line[LINE_ROOM], *at = line;
    uint8_t *to = buffer;

    request_send(function, n, buffer, size);
    answer_read(line);
    if (*at == 'e')
        die("the hypervisor does not understand: ", line);
    bool is_error = *at == '-';
    at += is_error;
    long error = (long)number_take(&at);
    *value = number_take(&at);
    for (; size && at[0] && at[1]; at += 2, size--)
        *to++ = (uint8_t)(digit_of(at[0]) << 4 | digit_of(at[1]));
    return is_error ? -error : error;
}
