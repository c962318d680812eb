// The management service that guests talk to (docs/vsock.md): each line is a management call as numbers, made as the
// capsule that asks, so that it reaches its own descendants alone. What people type is understood elsewhere: by
// dio-guest, in the guest (guests/dio-guest). The capsule's worker makes the steps, on that capsule's time.
#include "service.h"

#include <string.h>

#include "format.h"
#include "manage.h"
#include "sbi.h"

#define ANSWER_ROOM (2 * SERVICE_DATA + 64)

struct talk {
    struct space *who;
    bool is_too_long; // the line that is being read: the rest of it is dropped
    uint32_t waiting;
    uint8_t input[SERVICE_INPUT];
    uint32_t said, words; // of the answer
    char answer[ANSWER_ROOM];
    uint8_t data[SERVICE_DATA] __attribute__((aligned(8)));
};
_Static_assert(sizeof(struct talk) <= SERVICE_TALK_SIZE, "who allocates it knows no more");

void service_open(struct talk *t, struct space *who)
{
    t->who = who;
}

// --- what it hears -------------------------------------------------------------------------------------------

uint8_t *service_room(struct talk *t, uint32_t *count)
{
    *count = SERVICE_INPUT - t->waiting;
    return t->input + t->waiting;
}

void service_heard(struct talk *t, uint32_t count)
{
    t->waiting += count;
}

uint32_t service_waiting(const struct talk *t)
{
    return t->waiting;
}

static void input_drop(struct talk *t, uint32_t count)
{
    t->waiting -= count;
    memmove(t->input, t->input + count, t->waiting);
}

// --- a request -----------------------------------------------------------------------------------------------

// What of a line is still to be read.
struct words {
    const uint8_t *at, *end;
};

static void blanks_skip(struct words *w)
{
    while (w->at < w->end && (*w->at == ' ' || *w->at == '\r'))
        w->at++;
}

// Decimal; a word of its own.
static bool number_take(struct words *w, uint64_t *value)
{
    const uint8_t *begin = w->at;

    for (*value = 0; w->at < w->end && *w->at >= '0' && *w->at <= '9'; w->at++) {
        unsigned digit = *w->at - '0';
        if (*value > (UINT64_MAX - digit) / 10)
            return false;
        *value = 10 * *value + digit;
    }
    bool is_word = w->at > begin && (w->at == w->end || *w->at == ' ' || *w->at == '\r');
    blanks_skip(w);
    return is_word;
}

static int digit_of(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Two digits a byte, as many bytes as there is room for; -1: it is no such word, or longer.
static int data_take(struct words *w, uint8_t data[SERVICE_DATA])
{
    unsigned count = 0;

    while (w->end - w->at >= 2 && count < SERVICE_DATA) {
        int high = digit_of(w->at[0]), low = digit_of(w->at[1]);
        if (high < 0 || low < 0)
            break;
        data[count++] = (uint8_t)(high << 4 | low);
        w->at += 2;
    }
    blanks_skip(w);
    return w->at == w->end ? (int)count : -1;
}

// FUNCTION FIRST SECOND THIRD SIZE [DATA]
static bool request_read(struct talk *t, struct words w, uint64_t *function, struct manage_call *call)
{
    uint64_t size;

    memset(t->data, 0, sizeof(t->data));
    blanks_skip(&w);
    if (!number_take(&w, function) || !number_take(&w, &call->n[0]) || !number_take(&w, &call->n[1]) ||
        !number_take(&w, &call->n[2]) || !number_take(&w, &size))
        return false;
    int given = data_take(&w, t->data);
    if (given < 0 || size > SERVICE_DATA || (uint64_t)given > size)
        return false;
    call->buffer = t->data;
    call->size = (size_t)size;
    return true;
}

// --- its answer ----------------------------------------------------------------------------------------------

// It is empty before, and there is room for all that is ever answered.
static void answer_begin(struct talk *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void answer_begin(struct talk *t, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    t->words = (uint32_t)format_text(t->answer, sizeof(t->answer), format, arguments);
    va_end(arguments);
}

static void answer_data(struct talk *t, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        t->answer[t->words++] = digits[t->data[i] >> 4];
        t->answer[t->words++] = digits[t->data[i] & 15];
    }
}

// ERROR VALUE [DATA]
static void answer_make(struct talk *t, long error, const struct manage_call *call)
{
    size_t count = error ? 0 : call->size;

    answer_begin(t, count ? "%ld %llu " : "%ld %llu", error, (unsigned long long)call->value);
    answer_data(t, count);
    t->answer[t->words++] = '\n';
}

static void request_do(struct talk *t, struct words line)
{
    struct manage_call call = {0};
    uint64_t function;

    if (t->is_too_long)
        answer_begin(t, "error: the line is too long\n");
    else if (!request_read(t, line, &function, &call))
        answer_begin(t, "error: a request is FUNCTION FIRST SECOND THIRD SIZE [DATA]\n");
    else
        answer_make(
            t, function > UINT32_MAX ? SBI_ERR_NOT_SUPPORTED : manage_as(t->who, (enum diosix_call)function, &call),
            &call);
    t->is_too_long = false;
}

enum service_step service_step(struct talk *t)
{
    const uint8_t *end = memchr(t->input, '\n', t->waiting);
    uint32_t length = end ? (uint32_t)(end - t->input) : t->waiting;

    if (t->words)
        return SERVICE_IDLE;
    t->is_too_long = t->is_too_long || length == SERVICE_INPUT;
    if (!end && !(t->is_too_long && length))
        return SERVICE_IDLE;
    if (!end) {
        input_drop(t, length);
        return SERVICE_MORE; // there is room again
    }
    request_do(t, (struct words){t->input, end});
    input_drop(t, length + 1);
    return SERVICE_MORE;
}

// --- what it says --------------------------------------------------------------------------------------------

uint32_t service_words(struct talk *t, const char **at)
{
    *at = t->answer + t->said;
    return t->words - t->said;
}

void service_said(struct talk *t, uint32_t count)
{
    t->said += count;
    if (t->said == t->words)
        t->said = t->words = 0;
}
