// dio-guest: manages a capsule's children from inside it, in Linux (docs/vsock.md), by socket to the hypervisor; and
// joins a socket of another capsule with its own input and output. Of Linux it needs system calls alone, so it is built
// by the hypervisor's compiler, for both widths, and runs in any distribution.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "system.h"

#define HYPERVISOR 2u
#define SERVICE_PORT 3344u
#define TRUSTED_PORT_LAST 1023u // ports that Linux gives to root alone, and the service listens to
#define TRUSTED_PORT_FIRST 512u
#define LINE_MAX 255u // that the service reads

static void put(int fd, const char *text)
{
    (void)!system_write_all(fd, text, strlen(text));
}

static _Noreturn void die(const char *what, const char *cure)
{
    put(STDERR, "dio-guest: ");
    put(STDERR, what);
    put(STDERR, cure);
    put(STDERR, "\n");
    system_exit(2);
}

static int socket_new(void)
{
    long fd = system_call(SYSTEM_SOCKET, AF_VSOCK, SOCK_STREAM, 0, 0, 0);
    if (fd < 0)
        die("this system has no sockets to the hypervisor", ": its capsule needs `devices: [vsock]`");
    return (int)fd;
}

static long socket_to(int fd, unsigned call, uint32_t cid, uint32_t port)
{
    struct sockaddr_vm address = {.family = AF_VSOCK, .cid = cid, .port = port};
    return system_call(call, fd, (long)&address, sizeof(address), 0, 0);
}

// --- the service ---------------------------------------------------------------------------------------------

static int service_connect(void)
{
    int fd = socket_new();
    uint32_t port = TRUSTED_PORT_LAST;

    while (port >= TRUSTED_PORT_FIRST && socket_to(fd, SYSTEM_BIND, CID_ANY, port) != 0)
        port--;
    if (port < TRUSTED_PORT_FIRST)
        die("no port is free that only root may have", ": are you root?");
    if (socket_to(fd, SYSTEM_CONNECT, HYPERVISOR, SERVICE_PORT) != 0)
        die("the hypervisor does not answer", ": end other connections; has its capsule a `vsock`?");
    return fd;
}

// The answer comes in pieces; its lines are shown as they are whole.
static struct {
    char bytes[2048];
    size_t count, at;
} answer;

// The next line of the answer, which ends with a line end; it stays until the next call.
static const char *line_next(int fd, size_t *length)
{
    for (;;) {
        char *end = memchr(answer.bytes + answer.at, '\n', answer.count - answer.at);
        const char *line = answer.bytes + answer.at;
        if (end) {
            *length = (size_t)(end + 1 - line);
            answer.at += *length;
            return line;
        }
        memmove(answer.bytes, line, answer.count -= answer.at);
        answer.at = 0;
        long got = system_call(SYSTEM_READ, fd, (long)answer.bytes + (long)answer.count,
                               (long)(sizeof(answer.bytes) - answer.count), 0, 0);
        if (got <= 0)
            die("the hypervisor has hung up", "");
        answer.count += (size_t)got;
    }
}

static bool begins(const char *line, size_t length, const char *with)
{
    return length >= strlen(with) && !memcmp(line, with, strlen(with));
}

// Shows an answer; was it `ok`?
static bool answer_show(int fd, bool shows_ok)
{
    for (;;) {
        size_t length;
        const char *line = line_next(fd, &length);
        bool is_ok = length == 3 && begins(line, length, "ok"), is_error = begins(line, length, "error: ");
        if (!is_ok || shows_ok)
            (void)!system_write_all(is_error && !shows_ok ? STDERR : STDOUT, line, length);
        if (is_ok || is_error)
            return is_ok;
    }
}

static void say(int fd, const char *text, size_t length)
{
    if (!system_write_all(fd, text, length))
        die("the hypervisor has hung up", "");
}

// Words with spaces are quoted, as the prompt has it.
static int command_run(int count, char **words)
{
    char line[LINE_MAX + 1];
    size_t length = 0;

    for (int i = 0; i < count; i++) {
        size_t size = strlen(words[i]);
        bool is_quoted = strchr(words[i], ' ') || !size;
        if (length + size + 4 > sizeof(line) || strpbrk(words[i], "\"\n"))
            die("the command is too long, or has quotes in it", "");
        if (is_quoted)
            line[length++] = '"';
        memcpy(line + length, words[i], size);
        length += size;
        if (is_quoted)
            line[length++] = '"';
        line[length++] = i + 1 < count ? ' ' : '\n';
    }
    int fd = service_connect();
    say(fd, line, length);
    return answer_show(fd, false) ? 0 : 1;
}

// A line of input; its length with its end, 0 when there is no more.
static size_t input_line(char *line, size_t room)
{
    size_t length = 0;
    while (length < room - 1 && system_call(SYSTEM_READ, STDIN, (long)(line + length), 1, 0, 0) == 1)
        if (line[length++] == '\n')
            return length;
    if (length)
        line[length++] = '\n';
    return length;
}

static bool is_blank(const char *line, size_t length)
{
    while (length && (line[length - 1] == ' ' || line[length - 1] == '\n'))
        length--;
    return !length;
}

// Commands from the input, one at a time; the status is the last one's.
static int commands_run(void)
{
    char line[LINE_MAX + 1];
    size_t length;
    int fd = service_connect(), status = 0;
    bool is_terminal = system_is_terminal(STDIN);

    for (;;) {
        if (is_terminal)
            put(STDOUT, "dio> ");
        if (!(length = input_line(line, sizeof(line))))
            return status;
        if (is_blank(line, length)) // which is not answered
            continue;
        say(fd, line, length);
        status = answer_show(fd, true) ? 0 : 1;
    }
}

// --- other capsules ------------------------------------------------------------------------------------------

// Moves what there is; false: there is no more.
static bool piece_move(int from, int to)
{
    static char bytes[16384];
    long got = system_call(SYSTEM_READ, from, (long)bytes, sizeof(bytes), 0, 0);
    return got > 0 && system_write_all(to, bytes, (size_t)got);
}

// Does the other end still read? It may have said all it has to say, and it may be gone.
static bool is_heard(int fd)
{
    return system_call(SYSTEM_SENDTO, fd, 0, 0, MSG_NOSIGNAL, 0) == 0;
}

// Until both have said all, or the other end is gone.
static int join(int fd)
{
    static const int64_t second[2] = {1, 0}; // a time, for both widths
    struct pollfd watched[2] = {{.fd = fd, .events = POLL_IN}, {.fd = STDIN, .events = POLL_IN}};

    while (watched[0].fd >= 0 || (watched[1].fd >= 0 && is_heard(fd))) {
        // Of one that has said all, nothing tells when it goes.
        if (system_call(SYSTEM_PPOLL, (long)watched, 2, watched[0].fd < 0 ? (long)second : 0, 0, 0) < 0)
            return 2;
        if (watched[0].revents && !piece_move(fd, STDOUT))
            watched[0].fd = -1;
        if (watched[1].revents && !piece_move(STDIN, fd)) {
            system_call(SYSTEM_SHUTDOWN, fd, SHUTDOWN_WRITE, 0, 0, 0);
            watched[1].fd = -1;
        }
    }
    return 0;
}

static uint32_t number_of(const char *text)
{
    uint32_t value = 0;
    size_t digits = strspn(text, "0123456789");

    if (!digits || text[digits] || digits > 9)
        die(text, " is no number");
    while (*text)
        value = 10 * value + (uint32_t)(*text++ - '0');
    return value;
}

static int peer_connect(const char *cid, const char *port)
{
    int fd = socket_new();
    if (socket_to(fd, SYSTEM_CONNECT, number_of(cid), number_of(port)) != 0)
        die("nobody listens there", ", or not for this capsule");
    return join(fd);
}

static int peer_listen(const char *port)
{
    int fd = socket_new();
    if (socket_to(fd, SYSTEM_BIND, CID_ANY, number_of(port)) != 0 || system_call(SYSTEM_LISTEN, fd, 1, 0, 0, 0) != 0)
        die("that port is taken", "");
    long other = system_call(SYSTEM_ACCEPT, fd, 0, 0, 0, 0);
    if (other < 0)
        die("nobody came", "");
    return join((int)other);
}

static int cid_show(void)
{
    long fd = system_call(SYSTEM_OPENAT, AT_FDCWD, (long)"/dev/vsock", 0, 0, 0);
    uint32_t cid = 0;
    char digits[12];
    size_t at = sizeof(digits);

    if (fd < 0 || system_call(SYSTEM_IOCTL, fd, GET_LOCAL_CID, (long)&cid, 0, 0) < 0)
        die("this system has no CID", ": its capsule needs `devices: [vsock]`");
    digits[--at] = '\n';
    do
        digits[--at] = (char)('0' + cid % 10);
    while (cid /= 10);
    (void)!system_write_all(STDOUT, digits + at, sizeof(digits) - at);
    return 0;
}

static int help(void)
{
    put(STDOUT, "dio-guest COMMAND [WORD]...   gives the hypervisor a command; `dio-guest help` lists them\n"
                "dio-guest                     commands from the input, a line each\n"
                "dio-guest --cid               this capsule's CID\n"
                "dio-guest --connect CID PORT  joins input and output with a socket of another capsule\n"
                "dio-guest --listen PORT       likewise, when that connects\n");
    return 0;
}

int main(int count, char **words)
{
    const char *first = count > 1 ? words[1] : "";

    if (count == 1)
        return commands_run();
    if (!strcmp(first, "--cid") && count == 2)
        return cid_show();
    if (!strcmp(first, "--connect") && count == 4)
        return peer_connect(words[2], words[3]);
    if (!strcmp(first, "--listen") && count == 3)
        return peer_listen(words[2]);
    return first[0] == '-' ? help() : command_run(count - 1, words + 1);
}
