#include <string.h>

#include "console.h"
#include "frames.h"
#include "isa.h"
#include "manage_calls.h"
#include "trace.h"

const struct bundle *manage_bundle;

void manage_init(const struct bundle *bundle)
{
    manage_bundle = bundle;
}

static uint64_t nanoseconds(uint64_t ticks)
{
    uint64_t hz = machine_facts.timebase_hz;
    return ticks / hz * 1000000000u + ticks % hz * 1000000000u / hz;
}

long answer_struct(struct request *r, const void *from, size_t size)
{
    size_t room = r->call->size;
    memset(r->call->buffer, 0, room);
    memcpy(r->call->buffer, from, room < size ? room : size);
    r->call->value = size;
    return SBI_SUCCESS;
}

// --- capsules ------------------------------------------------------------------------------------------

static enum diosix_state state_tell(const struct capsule_state *s)
{
    static const uint8_t states[] = {
        [LIFE_STOPPED] = DIOSIX_STOPPED, [LIFE_LOADING] = DIOSIX_LOADING,  [LIFE_RUNNING] = DIOSIX_RUNNING,
        [LIFE_PAUSED] = DIOSIX_PAUSED,   [LIFE_SCRUBBING] = DIOSIX_ENDING, [LIFE_FORKING] = DIOSIX_FORKING,
        [LIFE_GONE] = DIOSIX_STOPPED,
    };
    bool ends = atomic_load(&s->capsule.halt) & HALT_ENDING; // which its life may not have seen yet
    return ends && s->stage != LIFE_STOPPED ? DIOSIX_ENDING : (enum diosix_state)states[s->stage];
}

static void crash_tell(const struct capsule_state *s, struct diosix_status *out)
{
    for (unsigned i = 0; i < array_length(s->crash.detail); i++)
        out->detail[i] = s->crash.detail[i];
    out->crash_vcore = s->crash.vcore;
    out->pc = s->crash.pc;
    for (unsigned i = 0; i < array_length(s->crash.x); i++)
        out->registers[i] = s->crash.x[i];
    out->backtrace_count = s->crash.backtrace_count;
    for (unsigned i = 0; i < s->crash.backtrace_count; i++)
        out->backtrace[i] = s->crash.backtrace[i];
}

// Which kind each of a vcore's counts goes to.
static const uint8_t exit_kinds[EXIT_KINDS] = {
    [KIND_MISALIGNED_LOAD] = DIOSIX_EXIT_OTHER,
    [KIND_MISALIGNED_STORE] = DIOSIX_EXIT_OTHER,
    [KIND_ACCESS_LOAD] = DIOSIX_EXIT_OTHER,
    [KIND_ACCESS_STORE] = DIOSIX_EXIT_OTHER,
    [KIND_ILLEGAL] = DIOSIX_EXIT_OTHER,
    [KIND_TIMER] = DIOSIX_EXIT_TIMER,
    [KIND_IPI] = DIOSIX_EXIT_IPI,
    [KIND_FENCE_I] = DIOSIX_EXIT_FENCE,
    [KIND_SFENCE] = DIOSIX_EXIT_FENCE,
    [KIND_SFENCE_ASID] = DIOSIX_EXIT_FENCE,
    [KIND_CALL] = DIOSIX_EXIT_CALL,
    [KIND_DEVICE] = DIOSIX_EXIT_DEVICE,
    [KIND_WAIT] = DIOSIX_EXIT_WAIT,
    [KIND_INTERRUPT] = DIOSIX_EXIT_INTERRUPT,
    [KIND_OTHER] = DIOSIX_EXIT_OTHER,
};

static void vcores_tell(struct capsule *c, struct diosix_status *out)
{
    uint64_t ticks = entity_consumed(&c->worker);

    for (unsigned i = 0; i < c->vcore_count; i++) {
        struct vcore *v = c->vcores[i];
        ticks += entity_consumed(&v->entity);
        for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
            out->exits[exit_kinds[kind]] += v->exits[kind];
        out->vcores_started += atomic_load(&v->hsm) != HSM_STOPPED;
    }
    out->hart_time = nanoseconds(ticks);
}

static void plan_tell(const struct bundle_capsule *plan, struct diosix_status *out)
{
    out->memory = plan->memory;
    out->vcores = plan->vcores;
    out->restart = plan->restart;
    out->weight = plan->weight;
    out->cap = plan->cap;
    out->affinity = plan->affinity;
    out->exclusive = plan->exclusive;
}

long call_status(struct request *r)
{
    struct capsule_state *s = r->target;
    struct diosix_status out = {
        .id = s->node.id,
        .state = state_tell(s),
        .ending = s->last,
        .running_since = nanoseconds(s->started_at),
        .isolation = capsule_isolation(&s->plan) == ISOLATION_GSTAGE ? DIOSIX_ISOLATION_GSTAGE : DIOSIX_ISOLATION_PMP,
        .restarts = s->starts ? s->starts - 1 : 0,
        .failures = s->failures,
        .rights = s->node.rights,
        .quota = s->node.limit,
        .used = s->node.used,
        .asked = s->asked,
    };

    strcpy(out.name, s->capsule.name);
    if (s->node.parent != &tree_root && s->node.parent != r->caller && tree_is_below(s->node.parent, r->caller))
        out.parent = s->node.parent->id;
    if (s->stage != LIFE_STOPPED && s->stage != LIFE_FORKING)
        out.memory_private = space_private_bytes(&s->capsule.space);
    plan_tell(&s->plan, &out);
    vcores_tell(&s->capsule, &out);
    crash_tell(s, &out);
    return answer_struct(r, &out, sizeof(out));
}

long call_next(struct request *r)
{
    const struct node *n = r->call->n[0] < UINT32_MAX ? tree_next(r->caller, (uint32_t)r->call->n[0]) : NULL;
    r->call->value = n ? n->id : 0;
    return SBI_SUCCESS;
}

long call_output(struct request *r)
{
    struct diosix_output out = {.position = (uint32_t)r->call->n[1]};

    if (r->call->size < sizeof(out))
        return SBI_ERR_INVALID_PARAM;
    uint8_t *bytes = (uint8_t *)r->call->buffer + sizeof(out);
    r->call->value = stream_peek(stream_of(r), &out.position, bytes, r->call->size - sizeof(out), &out.end);
    memcpy(r->call->buffer, &out, sizeof(out));
    return SBI_SUCCESS;
}

// As the trace keeps it, to what callers know.
static void exit_tell(struct diosix_exit *e)
{
    uint64_t duration = nanoseconds(e->duration);

    e->time = nanoseconds(e->time);
    e->duration = e->duration == UINT32_MAX || duration > UINT32_MAX ? UINT32_MAX : (uint32_t)duration;
    e->kind = exit_kinds[e->kind];
}

long call_trace(struct request *r)
{
    struct capsule *c = &r->target->capsule;
    struct diosix_trace out = {.position = (uint32_t)r->call->n[1]};
    struct diosix_exit *exits = (void *)((uint8_t *)r->call->buffer + sizeof(out));

    if (r->call->size == 0) {
        trace_stop(c);
        return SBI_SUCCESS;
    }
    if (r->call->size < sizeof(out))
        return SBI_ERR_INVALID_PARAM;
    if (trace_start(c) != STATUS_OK)
        return lack(r, DIOSIX_LACK_MEMORY);
    size_t count = (r->call->size - sizeof(out)) / sizeof(*exits);
    r->call->value = trace_peek(c, &out.position, exits, count, &out.end);
    for (size_t i = 0; i < r->call->value; i++)
        exit_tell(&exits[i]);
    memcpy(r->call->buffer, &out, sizeof(out));
    return SBI_SUCCESS;
}

// --- the machine --------------------------------------------------------------------------------------

long call_image(struct request *r)
{
    struct diosix_image out = {0};
    struct bundle_image image;
    const char *name;
    bool is_kernel;

    if (r->call->n[0] > UINT32_MAX ||
        bundle_image_at(manage_bundle, (unsigned)r->call->n[0], &name, &image, &is_kernel) != STATUS_OK)
        return SBI_ERR_INVALID_PARAM;
    strncpy(out.name, name, sizeof(out.name) - 1);
    out.size = image.size;
    out.kind = is_kernel;
    return answer_struct(r, &out, sizeof(out));
}

long call_machine(struct request *r)
{
    struct diosix_machine out = {
        .version = DIOSIX_RELEASE,
        .harts = harts_count,
        .timebase_hz = machine_facts.timebase_hz,
        .capsules = tree_count(),
        .isolation = machine_facts.isolation == ISOLATION_GSTAGE ? DIOSIX_ISOLATION_GSTAGE : DIOSIX_ISOLATION_PMP,
        .memory = frames_total_bytes(),
        .memory_free = frames_free_bytes(),
        .memory_largest = frames_largest_free(),
        .memory_own = frames_hypervisor_range().size - frames_hypervisor_free_bytes(),
        .uptime = nanoseconds(hart_time()),
    };

    strncpy(out.model, machine_facts.model, sizeof(out.model) - 1);
    isa_print_string(&machine_facts.guest_isa, out.isa, sizeof(out.isa));
    return answer_struct(r, &out, sizeof(out));
}

// Ranges of RAM as the device tree tells them, cut where the hypervisor's own begins and ends.
long call_memory(struct request *r)
{
    struct range own = frames_hypervisor_range(), ram;
    uint64_t n = r->call->n[0];

    for (unsigned i = 0; frames_ram(i, &ram); i++) {
        struct diosix_memory pieces[] = {
            {.start = ram.start, .size = own.start - ram.start, .kind = DIOSIX_MEMORY_CAPSULES},
            {.start = own.start, .size = own.size, .kind = DIOSIX_MEMORY_HYPERVISOR},
            {.start = range_end(own), .size = range_end(ram) - range_end(own), .kind = DIOSIX_MEMORY_CAPSULES},
        };
        if (!range_contains(ram, own.start, own.size)) {
            pieces[0].size = ram.size;
            pieces[1].size = pieces[2].size = 0;
        }
        for (unsigned k = 0; k < array_length(pieces); k++)
            if (pieces[k].size && !n--)
                return answer_struct(r, &pieces[k], sizeof(pieces[k]));
    }
    return SBI_ERR_INVALID_PARAM;
}

// In ticks, with the sleep that it is in: it may be one without end. What it changes meanwhile is read again.
static uint64_t idle_time(const struct hart *h)
{
    const volatile uint64_t *idle = &h->idle, *idle_since = &h->idle_since;
    uint64_t sum, since;

    do {
        since = *idle_since;
        sum = *idle;
    } while (since != *idle_since || sum != *idle);
    return since ? sum + hart_time() - since : sum;
}

long call_hart(struct request *r)
{
    if (r->call->n[0] >= harts_count)
        return SBI_ERR_INVALID_PARAM;
    const struct hart *h = harts[r->call->n[0]];
    struct diosix_hart out = {.id = h->id, .idle_time = nanoseconds(idle_time(h))};
    struct node *n = NULL;

    // Which capsule runs there may have changed by now, so no pointer of the hart's is followed.
    while ((n = tree_after(n))) {
        const struct capsule *c = &state_of_node(n)->capsule;
        if (!tree_is_below(n, r->caller))
            continue;
        for (unsigned i = 0; i < c->vcore_count; i++)
            if (atomic_load(&c->vcores[i]->entity.running) == h)
                out.runs = n->id;
        if (c->share.owned >> h->index & 1)
            out.owner = n->id;
    }
    return answer_struct(r, &out, sizeof(out));
}
