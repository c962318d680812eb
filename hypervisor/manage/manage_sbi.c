// A guest's management calls: arguments from registers, structures from and to its memory.
#include <string.h>

#include "log.h"
#include "manage_calls.h"

// One at a time: it would be too much for a hart's stack. Calls are rare, and each is bounded.
static struct lock buffer_lock;
static uint8_t buffer[DIOSIX_BUFFER_MAX] __attribute__((aligned(16)));

// The guest may write to all of it: pages that it shares become its own, for as long as this exit takes. Waits
// for other harts.
static bool make_writable(struct space *s, uint64_t address, size_t size)
{
    struct hpa ignored;
    uint64_t run;

    for (size_t done = 0; done < size; done += run)
        if (space_run_writable(s, gpa(address + done), &ignored, &run) != STATUS_OK)
            return false;
    return true;
}

// Between the guest's memory, of which every page may lie elsewhere, and the buffer.
static void transfer(struct space *s, uint64_t address, size_t size, bool to_guest)
{
    uint64_t run;

    for (size_t done = 0; done < size; done += run) {
        struct hpa host;
        run = to_guest ? space_run_own(s, gpa(address + done), &host) : space_run(s, gpa(address + done), &host);
        bool gone = !run; // given back by a sibling while it asks: what would be there is lost
        CHECK(!gone || to_guest);
        if (gone)
            run = FRAME_SIZE - (address + done) % FRAME_SIZE;
        if (run > size - done)
            run = size - done;
        if (gone)
            continue;
        memcpy(to_guest ? hpa_pointer(host) : buffer + done, to_guest ? buffer + done : hpa_pointer(host), (size_t)run);
    }
}

static unsigned arguments_read(const struct vcore *v, const struct manage_kind *kind, struct manage_call *call)
{
    unsigned next = 0;

    for (unsigned i = 0; i < kind->arguments; i++)
        call->n[i] = ARGUMENT(v, next++);
    if (kind->wide)
        call->n[kind->arguments - 1] = sbi_address(v, next++ - 1).value;
    return next;
}

// With the buffer's lock held.
static long call_buffered(const struct manage_kind *kind, struct request *r, uint64_t address)
{
    struct space *s = &r->vcore->capsule->space;
    size_t size = r->call->size;

    memset(buffer, 0, size);
    if (kind->direction == BUFFER_IN)
        transfer(s, address, size, false);
    r->call->buffer = buffer;
    long error = manage_do(kind, r);
    if (error == SBI_SUCCESS && kind->direction == BUFFER_OUT)
        transfer(s, address, size, true);
    return error;
}

static long call_with_buffer(const struct manage_kind *kind, struct request *r, unsigned next)
{
    struct space *s = &r->vcore->capsule->space;
    uint64_t address = sbi_address(r->vcore, next + 1).value;
    unsigned long size = ARGUMENT(r->vcore, next);

    if (size > sizeof(buffer)) {
        if (kind->direction == BUFFER_IN)
            return SBI_ERR_INVALID_PARAM;
        size = sizeof(buffer);
    }
    r->call->size = size;
    if (size && !space_contains(s, gpa(address), size))
        return SBI_ERR_INVALID_ADDRESS;
    // Before any lock is taken, which others might want while they are waited for.
    if (kind->direction == BUFFER_OUT && !make_writable(s, address, size))
        return lack(r, DIOSIX_LACK_MEMORY);
    lock_acquire(&buffer_lock);
    long error = call_buffered(kind, r, address);
    lock_release(&buffer_lock);
    return error;
}

static enum exit yield(struct vcore *v, unsigned long vcore)
{
    if (vcore != -1UL && vcore >= v->capsule->vcore_count)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (vcore == -1UL)
        vcore_yield(v);
    else if (v->capsule->vcores[vcore] != v)
        (void)sched_yield_to(v->context.hart, &v->capsule->vcores[vcore]->entity);
    sbi_return(v, SBI_SUCCESS, 0);
    return EXIT_RESCHEDULE;
}

// "Firmware Specific Extension Space": the extension's number ends in the implementation's id.
enum exit sbi_diosix(struct vcore *v, unsigned long function)
{
    const struct manage_kind *kind = manage_kind(function);
    struct manage_call call = {0};
    bool speaks_for_person = terminal_keeper() == v->capsule;
    struct request r = {
        .caller = speaks_for_person ? &tree_root : &state_of(v->capsule)->node, .vcore = v, .call = &call};
    long error;

    if (function == DIOSIX_YIELD)
        return yield(v, ARGUMENT(v, 0));
    if (!kind)
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    unsigned next = arguments_read(v, kind, &call);
    error = kind->direction == BUFFER_NONE ? manage_do(kind, &r) : call_with_buffer(kind, &r, next);
    sbi_return(v, error, (unsigned long)call.value);
    // Its own clone is made when it has left its hart, and then this answer may be another.
    return function == DIOSIX_FORK && error == SBI_SUCCESS && atomic_load(&v->capsule->halt) ? EXIT_RESCHEDULE
                                                                                             : EXIT_RESUME;
}
