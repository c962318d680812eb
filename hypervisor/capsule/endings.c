#include "endings.h"

#include "csr.h"

bool ending_is_failure(enum ending why)
{
    return why == ENDING_FAILURE || why == ENDING_STOPPED || why == ENDING_FAULT || why == ENDING_MEMORY;
}

bool ending_restarts(const struct capsule_state *s, enum ending why)
{
    switch (why) {
    case ENDING_REBOOT:
    case ENDING_RESTARTED:
        return true;
    case ENDING_KILLED:
        return false;
    default:
        return s->plan.restart == BUNDLE_RESTART_ALWAYS ||
               (s->plan.restart == BUNDLE_RESTART_ON_CRASH && ending_is_failure(why));
    }
}

// Failures that restart have to wait longer and longer.
enum log_level ending_level(const struct capsule_state *s)
{
    return s->node.parent == &tree_root && (!s->again || s->failures) ? LOG_ERROR : LOG_INFO;
}

void ending_say(const struct capsule_state *s, enum ending why)
{
    static const char *const words[] = {
        [ENDING_NONE] = "",
        [ENDING_SHUTDOWN] = "shut down",
        [ENDING_FAILURE] = "shut down, reporting failure",
        [ENDING_REBOOT] = "rebooted",
        [ENDING_STOPPED] = "all its vcores have stopped",
        [ENDING_FAULT] = "fault the guest can't be given:",
        [ENDING_MEMORY] = "no memory left for a page of its own",
        [ENDING_KILLED] = "killed",
        [ENDING_RESTARTED] = "killed",
    };
    const struct capsule *c = &s->capsule;
    const unsigned long *detail = c->ending_detail;
    const char *then = s->again ? "restarting" : "it has ended";
    enum log_level level = ending_level(s);

    if (why == ENDING_FAILURE)
        log_print(level, "%s: %s %lu; %s", c->name, words[why], detail[0], then);
    else if (why == ENDING_FAULT)
        log_print(level, "%s: %s cause %lu, value 0x%lx, pc 0x%lx; %s", c->name, words[why], detail[0], detail[1],
                  detail[2], then);
    else
        log_print(level, "%s: %s; %s", c->name, words[why], then);
}

// One word of a guest's memory, by its address in that vcore's eyes; all its vcores are parked.
static bool word_read(const struct vcore *v, unsigned long address, unsigned long *value)
{
    uint64_t physical;
    struct hpa host;

    if (address % sizeof(*value) || !world_translate(&v->world, address, &physical) ||
        !space_translate(v->world.space, gpa(physical), sizeof(*value), &host))
        return false;
    *value = *(const unsigned long *)hpa_pointer(host);
    return true;
}

// By the chain of frame pointers (RISC-V ELF psABI, "Frame Pointer Convention"): below s0 lie the return
// address and the caller's s0.
static void backtrace_take(struct crash *crash, const struct vcore *v)
{
    unsigned long frame = v->context.x[8], above = 0, address;

    while (crash->backtrace_count < array_length(crash->backtrace) && frame > above &&
           word_read(v, frame - sizeof(long), &address) && address) {
        crash->backtrace[crash->backtrace_count++] = address;
        above = frame;
        if (!word_read(v, frame - 2 * sizeof(long), &frame))
            break;
    }
}

void crash_record(struct capsule_state *s, enum ending why)
{
    struct capsule *c = &s->capsule;

    s->crash = (struct crash){0};
    for (unsigned i = 0; i < array_length(s->crash.detail); i++)
        s->crash.detail[i] = c->ending_detail[i];
    if (!c->ended_by || why == ENDING_SHUTDOWN)
        return;
    s->crash.vcore = c->ended_by;
    const struct vcore *v = c->vcores[c->ended_by - 1];
    s->crash.pc = v->context.pc;
    for (unsigned i = 0; i < array_length(s->crash.x); i++)
        s->crash.x[i] = v->context.x[i];
    backtrace_take(&s->crash, v);
}
