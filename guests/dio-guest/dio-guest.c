// dio-guest: manages a capsule's children from inside it, in Linux (docs/vsock.md), by socket to the hypervisor; and
// joins a socket of another capsule with its own input and output. Of Linux it needs system calls alone, so it is built
// by the hypervisor's compiler, for both widths, and runs in any distribution.
//
//   dio-guest.c  what it was started for; sockets of other capsules
//   commands.c   the prompt's commands (prompt/), from its words or its input
//   calls.c      their management calls, as lines to the hypervisor
//   console.c    the terminal of a child
#include <string.h>

#include "guest.h"

void put(int fd, const char *text)
{
    (void)!system_write_all(fd, text, strlen(text));
}

_Noreturn void die(const char *what, const char *cure)
{
    put(STDERR, "dio-guest: ");
    put(STDERR, what);
    put(STDERR, cure);
    put(STDERR, "\n");
    system_exit(2);
}

int socket_new(void)
{
    long fd = system_call(SYSTEM_SOCKET, AF_VSOCK, SOCK_STREAM, 0, 0, 0);
    if (fd < 0)
        die("this system has no sockets to the hypervisor", ": its capsule needs `devices: [vsock]`");
    return (int)fd;
}

long socket_to(int fd, unsigned call, uint32_t cid, uint32_t port)
{
    struct sockaddr_vm address = {.family = AF_VSOCK, .cid = cid, .port = port};
    return system_call(call, fd, (long)&address, sizeof(address), 0, 0);
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
    struct pollfd watched[2] = {{.fd = fd, .events = POLL_IN}, {.fd = STDIN, .events = POLL_IN}};

    while (watched[0].fd >= 0 || (watched[1].fd >= 0 && is_heard(fd))) {
        // Of one that has said all, nothing tells when it goes.
        long any =
            watched[0].fd < 0 ? system_poll(watched, 2, 1000) : system_call(SYSTEM_PPOLL, (long)watched, 2, 0, 0, 0);
        if (any < 0)
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

static int help(bool is_wanted)
{
    put(is_wanted ? STDOUT : STDERR,
        "dio-guest COMMAND [WORD]...   gives the hypervisor a command; `dio-guest help` lists them\n"
        "dio-guest                     commands from the input, a line each\n"
        "dio-guest --cid               this capsule's CID\n"
        "dio-guest --connect CID PORT  joins input and output with a socket of another capsule\n"
        "dio-guest --listen PORT       likewise, when that connects\n");
    return is_wanted ? 0 : 1;
}

int main(int count, char **words)
{
    const char *first = count > 1 ? words[1] : "";

    if (count == 1)
        return commands_of_input();
    if (!strcmp(first, "--cid") && count == 2)
        return cid_show();
    if (!strcmp(first, "--connect") && count == 4)
        return peer_connect(words[2], words[3]);
    if (!strcmp(first, "--listen") && count == 3)
        return peer_listen(words[2]);
    return first[0] == '-' ? help(!strcmp(first, "--help")) : command_of_words(count - 1, words + 1);
}
