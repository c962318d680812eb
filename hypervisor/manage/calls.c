#include <string.h>

#include "bits.h"
#include "console.h"
#include "equip.h"
#include "log.h"
#include "manage_calls.h"
#include "power.h"

long lack(struct request *r, enum diosix_lack what)
{
    r->call->value = what;
    return SBI_ERR_FAILED;
}

static long state_error(bool done)
{
    return done ? SBI_SUCCESS : SBI_ERR_INVALID_STATE;
}

// --- making -----------------------------------------------------------------------------------------

// A letter comes first, as the prompt takes a number for an id; and nobody speaks for the hypervisor.
static bool is_name(const char *name)
{
    size_t length = strnlen(name, DIOSIX_NAME_SIZE);

    if (length == DIOSIX_NAME_SIZE || name[0] < 'a' || name[0] > 'z' || !strcmp(name, "dio"))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '-'))
            return false;
    return true;
}

static bool is_taken(const char *name)
{
    struct node *n = NULL;

    while ((n = tree_after(n)))
        if (!strcmp(state_of_node(n)->capsule.name, name))
            return true;
    return false;
}

// An image by its name; none if that is empty.
static bool image_named(const char *name, bool needed, struct bundle_image *out)
{
    if (strnlen(name, DIOSIX_NAME_SIZE) == DIOSIX_NAME_SIZE)
        return false;
    return *name ? bundle_image_find(manage_bundle, name, out) == STATUS_OK : !needed;
}

// What the scheduler would refuse, so that nothing is made for it.
static bool is_share(const struct bundle_capsule *plan)
{
    uint64_t all = ~0ULL >> (64 - harts_count);
    return plan->weight <= WEIGHT_MAX && plan->cap <= CAP_MAX && (!plan->affinity || plan->affinity & all);
}

static bool plan_numbers(const struct request *r, const struct diosix_create *from, struct bundle_capsule *plan)
{
    plan->memory = from->memory;
    plan->vcores = from->vcores;
    plan->isolation = (enum bundle_isolation)from->isolation;
    plan->restart = (enum bundle_restart)from->restart;
    plan->rights = from->rights;
    plan->quota.memory = from->quota.memory;
    plan->quota.vcores = from->quota.vcores;
    plan->quota.capsules = from->quota.capsules;
    plan->weight = from->weight ? from->weight : 100;
    plan->cap = from->cap;
    plan->affinity = from->affinity;
    return plan->memory && is_aligned(plan->memory, BUNDLE_MEMORY_UNIT) && plan->vcores &&
           plan->vcores <= BUNDLE_VCORES_MAX && from->isolation <= DIOSIX_ISOLATION_PMP &&
           from->restart <= DIOSIX_RESTART_ALWAYS && !(plan->rights & ~r->caller->rights) && is_share(plan);
}

static bool plan_make(const struct request *r, struct bundle_capsule *plan)
{
    static char cmdline[DIOSIX_CMDLINE_MAX + 1]; // until it is copied, under tree_lock
    const struct diosix_create *from = r->call->buffer;
    size_t length = strnlen(from->cmdline, r->call->size - sizeof(*from));

    if (!is_name(from->name) || is_taken(from->name) || length > DIOSIX_CMDLINE_MAX)
        return false;
    memcpy(cmdline, from->cmdline, length);
    cmdline[length] = 0;
    *plan = (struct bundle_capsule){.bootargs = cmdline};
    memcpy(plan->name, from->name, sizeof(plan->name));
    return image_named(from->kernel, true, &plan->kernel) && image_named(from->initrd, false, &plan->ramdisk) &&
           plan_numbers(r, from, plan);
}

static long call_create(struct request *r)
{
    struct bundle_capsule plan;
    struct capsule_state *s;

    if (!plan_make(r, &plan))
        return SBI_ERR_INVALID_PARAM;
    enum diosix_lack what = capsule_create(&plan, (struct node *)r->caller, true, &s);
    if (what != DIOSIX_LACK_NONE)
        return lack(r, what);
    enum status status = capsule_share_set(s);
    if (status != STATUS_OK) {
        life_destroy(s);
        return SBI_ERR_INVALID_PARAM;
    }
    r->call->value = s->node.id;
    return SBI_SUCCESS;
}

static long call_start(struct request *r)
{
    struct image_error why = {0};

    if (r->target->stage != LIFE_STOPPED || r->target->doomed)
        return SBI_ERR_INVALID_STATE;
    enum status status = capsule_start(r->target, &why);
    if (status == STATUS_OK)
        return SBI_SUCCESS;
    if (is_root(r)) // a person wants more than a number; others would flood the log
        log_error("%s: not started: %s", r->target->capsule.name, why.text);
    if (status == STATUS_BUSY)
        return lack(r, DIOSIX_LACK_HARTS);
    return status == STATUS_NO_MEMORY     ? lack(r, DIOSIX_LACK_MEMORY)
           : status == STATUS_UNSUPPORTED ? SBI_ERR_NOT_SUPPORTED
                                          : SBI_ERR_INVALID_PARAM;
}

// The name of a clone that is given none: its original's, cut to have room, and the number of its id.
static void clone_name(char *out, const char *original, uint32_t id)
{
    char digits[12];
    size_t n = sizeof(digits), length = strlen(original);

    digits[--n] = 0;
    do
        digits[--n] = (char)('0' + id % 10);
    while (id /= 10);
    digits[--n] = '-';
    if (length > CAPSULE_NAME_SIZE - 1 - strlen(digits + n))
        length = CAPSULE_NAME_SIZE - 1 - strlen(digits + n);
    memcpy(out, original, length);
    strcpy(out + length, digits + n);
}

static bool fork_name_read(const struct request *r, char *name)
{
    size_t size = r->call->size;

    if (!size)
        return true;
    if (size > DIOSIX_NAME_SIZE || strnlen(r->call->buffer, size) == size)
        return false;
    strcpy(name, r->call->buffer);
    return is_name(name) && !is_taken(name);
}

// A guest's own call is answered when the clone is made, by the original's life (capsule/fork.c).
static long call_fork(struct request *r)
{
    struct capsule_state *original = r->target, *clone;
    struct bundle_capsule plan = original->plan;
    struct vcore *caller = r->vcore && r->vcore->capsule == &original->capsule ? r->vcore : NULL;
    char name[CAPSULE_NAME_SIZE] = "";

    if (original->stage != LIFE_RUNNING && original->stage != LIFE_PAUSED)
        return SBI_ERR_INVALID_STATE;
    if (original->capsule.space.kind != ISOLATION_GSTAGE)
        return SBI_ERR_NOT_SUPPORTED;
    if (!fork_name_read(r, name))
        return SBI_ERR_INVALID_PARAM;
    plan.exclusive = false;
    plan.rights = original->node.rights;        // not those it was made with and has lost
    memset(&plan.quota, 0, sizeof(plan.quota)); // its own descendants are not cloned
    equip_plan_clone(&plan);
    if (!has_ports(r, plan.devices, VIRTIO_SLOTS))
        return lack(r, DIOSIX_LACK_DEVICES);
    enum diosix_lack what = capsule_create(&plan, (struct node *)r->caller, original->own_bootargs, &clone);
    if (what != DIOSIX_LACK_NONE)
        return lack(r, what);
    if (!*name)
        clone_name(name, plan.name, clone->node.id);
    if (is_taken(name)) // as somebody else may have been named so
        clone_name(name, "clone", clone->node.id);
    strcpy(clone->plan.name, name);
    long error = is_taken(name) ? SBI_ERR_INVALID_PARAM : SBI_SUCCESS;
    if (error == SBI_SUCCESS && capsule_share_set(clone) != STATUS_OK) // its affinity may be another's own by now
        error = lack(r, DIOSIX_LACK_HARTS);
    if (error != SBI_SUCCESS) {
        life_destroy(clone);
        return error;
    }
    strcpy(clone->capsule.name, name);
    r->call->value = clone->node.id;
    life_fork(original, clone, caller);
    return SBI_SUCCESS;
}

// --- ending and holding -----------------------------------------------------------------------------

static uint64_t deadline_after(uint64_t milliseconds)
{
    uint64_t most = UINT32_MAX;
    return hart_time() + (milliseconds < most ? milliseconds : most) * machine_facts.timebase_hz / 1000;
}

static long call_stop(struct request *r)
{
    return state_error(life_ask_stop(r->target, deadline_after(r->call->n[1])));
}

static long call_kill(struct request *r)
{
    return state_error(life_kill(r->target));
}

static long call_restart(struct request *r)
{
    if (r->target->stage == LIFE_STOPPED)
        return call_start(r);
    return state_error(life_restart(r->target));
}

static long call_pause(struct request *r)
{
    return state_error(life_pause(r->target));
}

static long call_resume(struct request *r)
{
    return state_error(life_resume(r->target));
}

static long call_destroy(struct request *r)
{
    life_destroy(r->target);
    return SBI_SUCCESS;
}

// --- settings -----------------------------------------------------------------------------------------

static long quota_set(struct node *n, unsigned long setting, uint64_t value)
{
    struct diosix_quota limit = n->limit;

    if (setting == DIOSIX_SET_QUOTA_MEMORY)
        limit.memory = value;
    else if (value > UINT32_MAX)
        return SBI_ERR_INVALID_PARAM;
    else if (setting == DIOSIX_SET_QUOTA_VCORES)
        limit.vcores = (uint32_t)value;
    else
        limit.capsules = (uint32_t)value;
    return tree_set_limit(n, &limit) ? SBI_SUCCESS : SBI_ERR_FAILED;
}

// Scheduling: tried on the share, kept in the plan if it takes it.
static long share_set(struct request *r, unsigned long setting, uint64_t value)
{
    struct capsule_state *s = r->target;
    struct bundle_capsule old = s->plan;

    if (setting == DIOSIX_SET_EXCLUSIVE ? value > 1 : setting != DIOSIX_SET_AFFINITY && value > UINT32_MAX)
        return SBI_ERR_INVALID_PARAM;
    if (setting == DIOSIX_SET_WEIGHT)
        s->plan.weight = (uint32_t)value;
    else if (setting == DIOSIX_SET_CAP)
        s->plan.cap = (uint32_t)value;
    else if (setting == DIOSIX_SET_AFFINITY)
        s->plan.affinity = value;
    else
        s->plan.exclusive = value;
    enum status status = capsule_share_set(s);
    if (status == STATUS_OK)
        return SBI_SUCCESS;
    s->plan = old;
    return status == STATUS_BUSY ? lack(r, DIOSIX_LACK_HARTS) : SBI_ERR_INVALID_PARAM;
}

// Only one who keeps the terminal can mean itself so.
static bool is_callers_own(const struct request *r)
{
    return r->vcore && r->target == state_of(r->vcore->capsule);
}

static long call_set(struct request *r)
{
    uint64_t setting = r->call->n[1]; // an enum would cut it
    uint64_t value = r->call->n[2];
    struct capsule_state *s = r->target;

    switch (setting) {
    case DIOSIX_SET_EXCLUSIVE:
        if (!is_root(r))
            return SBI_ERR_DENIED;
        return share_set(r, setting, value);
    case DIOSIX_SET_WEIGHT:
    case DIOSIX_SET_CAP:
    case DIOSIX_SET_AFFINITY:
        return share_set(r, setting, value);
    case DIOSIX_SET_RESTART:
        if (value > DIOSIX_RESTART_ALWAYS)
            return SBI_ERR_INVALID_PARAM;
        s->plan.restart = (enum bundle_restart)value;
        return SBI_SUCCESS;
    case DIOSIX_SET_RIGHTS:
        if (value & ~(uint64_t)r->caller->rights || (is_callers_own(r) && ~value & RIGHTS_SERVICE))
            return SBI_ERR_DENIED; // who keeps the terminal would not get it back when it starts anew
        s->node.rights = (uint32_t)value;
        return SBI_SUCCESS;
    case DIOSIX_SET_QUOTA_MEMORY:
    case DIOSIX_SET_QUOTA_VCORES:
    case DIOSIX_SET_QUOTA_CAPSULES:
        return quota_set(&s->node, setting, value) ? lack(r, DIOSIX_LACK_QUOTA) : SBI_SUCCESS;
    }
    return SBI_ERR_INVALID_PARAM;
}

// Only downwards, so that nothing can be got back.
static long call_give_up(struct request *r)
{
    uint64_t setting = r->call->n[0];
    uint64_t value = r->call->n[1];

    if (is_root(r))
        return SBI_ERR_DENIED;
    struct node *self = (struct node *)r->caller;
    uint64_t now = setting == DIOSIX_SET_QUOTA_MEMORY     ? self->limit.memory
                   : setting == DIOSIX_SET_QUOTA_VCORES   ? self->limit.vcores
                   : setting == DIOSIX_SET_QUOTA_CAPSULES ? self->limit.capsules
                                                          : 0;
    if (setting == DIOSIX_SET_RIGHTS)
        self->rights &= (uint32_t)~value;
    else if (value > now || setting < DIOSIX_SET_QUOTA_MEMORY || setting > DIOSIX_SET_QUOTA_CAPSULES)
        return SBI_ERR_INVALID_PARAM;
    else if (quota_set(self, setting, value) != SBI_SUCCESS)
        return lack(r, DIOSIX_LACK_QUOTA);
    return SBI_SUCCESS;
}

// --- the rest -------------------------------------------------------------------------------------------

static long call_version(struct request *r)
{
    r->call->value = DIOSIX_INTERFACE_VERSION;
    return SBI_SUCCESS;
}

static long call_input(struct request *r)
{
    r->call->value = console_type(&r->target->capsule.stream, r->call->buffer, r->call->size);
    capsule_stream_event(&r->target->capsule);
    return SBI_SUCCESS;
}

static long call_power(struct request *r)
{
    if (!is_root(r))
        return SBI_ERR_DENIED;
    if (r->call->n[0] > DIOSIX_POWER_END)
        return SBI_ERR_INVALID_PARAM;
    if (r->call->n[0] == DIOSIX_POWER_END && !life_all_over())
        return SBI_ERR_INVALID_STATE;
    harts_stop_others(); // first: what they go on printing would never be all out
    console_announce(r->call->n[0] == DIOSIX_POWER_REBOOT ? "resetting the machine" : "switched off");
    console_flush();
    if (r->call->n[0] != DIOSIX_POWER_REBOOT)
        power_off(r->call->n[0] == DIOSIX_POWER_OFF || life_all_well());
    power_reboot();
}

// --- the door ---------------------------------------------------------------------------------------------

#define MANAGE DIOSIX_RIGHT_MANAGE

static const struct manage_kind kinds[DIOSIX_CALLS] = {
    [DIOSIX_VERSION] = {.function = call_version},
    [DIOSIX_STATUS] = {call_status, 1, .direction = BUFFER_OUT, .reach = REACH_SELF},
    [DIOSIX_NEXT] = {call_next, 1, .rights = MANAGE},
    [DIOSIX_CREATE] = {call_create, .direction = BUFFER_IN, .rights = MANAGE, .size = sizeof(struct diosix_create)},
    [DIOSIX_START] = {call_start, 1, .reach = REACH_OTHERS, .rights = MANAGE},
    [DIOSIX_STOP] = {call_stop, 2, .reach = REACH_OTHERS, .spares_caller = true, .rights = MANAGE},
    [DIOSIX_KILL] = {call_kill, 1, .reach = REACH_OTHERS, .spares_caller = true, .rights = MANAGE},
    [DIOSIX_RESTART] = {call_restart, 1, .reach = REACH_OTHERS, .rights = MANAGE},
    [DIOSIX_PAUSE] = {call_pause, 1, .reach = REACH_OTHERS, .spares_caller = true, .rights = MANAGE},
    [DIOSIX_RESUME] = {call_resume, 1, .reach = REACH_OTHERS, .rights = MANAGE},
    [DIOSIX_FORK] = {call_fork, 1, .direction = BUFFER_IN, .reach = REACH_SELF, .rights = MANAGE},
    [DIOSIX_DESTROY] = {call_destroy, 1, .reach = REACH_OTHERS, .spares_caller = true, .rights = MANAGE},
    [DIOSIX_SET] = {call_set, 3, .wide = true, .reach = REACH_OTHERS, .rights = MANAGE},
    [DIOSIX_GIVE_UP] = {call_give_up, 2, .wide = true},
    [DIOSIX_IMAGE] = {call_image, 1, .direction = BUFFER_OUT, .rights = MANAGE},
    [DIOSIX_OUTPUT] = {call_output, 2, .direction = BUFFER_OUT, .reach = REACH_STREAM, .rights = MANAGE},
    [DIOSIX_INPUT] = {call_input, 1, .direction = BUFFER_IN, .reach = REACH_OTHERS, .rights = MANAGE},
    [DIOSIX_TRACE] = {call_trace, 2, .direction = BUFFER_OUT, .reach = REACH_OTHERS, .rights = MANAGE},
    [DIOSIX_MACHINE] = {call_machine, .direction = BUFFER_OUT, .rights = MANAGE},
    [DIOSIX_MEMORY] = {call_memory, 1, .direction = BUFFER_OUT, .rights = MANAGE},
    [DIOSIX_HART] = {call_hart, 1, .direction = BUFFER_OUT, .rights = MANAGE},
    [DIOSIX_KEEP] = {call_keep, 1, .rights = RIGHTS_SERVICE},
    [DIOSIX_TYPED] = {call_typed, .direction = BUFFER_OUT, .is_keepers = true, .rights = RIGHTS_SERVICE},
    [DIOSIX_SHOW] = {call_show, .direction = BUFFER_IN, .is_keepers = true, .rights = RIGHTS_SERVICE},
    [DIOSIX_NEWS] = {call_news, 1, .is_keepers = true, .rights = RIGHTS_SERVICE},
    [DIOSIX_SHOWN] = {call_shown, 2, .reach = REACH_STREAM, .is_keepers = true, .rights = RIGHTS_SERVICE},
    [DIOSIX_DEVICE] = {call_device, 2, .direction = BUFFER_OUT, .reach = REACH_SELF},
    [DIOSIX_DEVICE_SET] = {call_device_set, 3, .wide = true, .reach = REACH_OTHERS, .rights = MANAGE},
    [DIOSIX_ATTACH] = {call_attach, 2, .direction = BUFFER_IN, .reach = REACH_OTHERS, .rights = MANAGE},
    [DIOSIX_EQUIP] = {call_equip, 1, .direction = BUFFER_IN, .reach = REACH_OTHERS, .rights = MANAGE,
                      .size = sizeof(struct diosix_equip)},
    [DIOSIX_WATCH] = {call_watch, 2, .reach = REACH_STREAM, .is_keepers = true, .rights = RIGHTS_SERVICE},
    [DIOSIX_POWER] = {.function = call_power, .arguments = 1},
};

const struct manage_kind *manage_kind(unsigned long function)
{
    return function < DIOSIX_CALLS && kinds[function].function ? &kinds[function] : NULL;
}

bool is_root(const struct request *r)
{
    return r->caller == &tree_root;
}

// The caller itself; NULL for the root.
static struct node *self_of(const struct request *r)
{
    if (!is_root(r))
        return (struct node *)r->caller;
    return r->vcore ? &state_of(r->vcore->capsule)->node : NULL;
}

static bool is_own(uint64_t id)
{
    return id == DIOSIX_ID_OWN || id == DIOSIX_ID_NOTICES;
}

// Whom the call is about. Nobody can be told from somebody out of reach.
static bool target_find(const struct manage_kind *kind, struct request *r)
{
    uint64_t id = r->call->n[0];
    struct node *n = NULL;

    if (kind->reach == REACH_NONE || (kind->reach == REACH_STREAM && is_own(id) && is_root(r)))
        return true;
    if (id == 0 && kind->reach == REACH_SELF)
        n = self_of(r);
    else if (id <= UINT32_MAX && (is_root(r) || r->caller->rights & MANAGE))
        n = tree_find(r->caller, (uint32_t)id);
    r->target = n ? state_of_node(n) : NULL;
    return n;
}

long manage_do(const struct manage_kind *kind, struct request *r)
{
    long error;

    lock_acquire(&tree_lock);
    r->call->value = 0;
    if ((r->caller->rights & kind->rights) != kind->rights)
        error = SBI_ERR_DENIED;
    else if (!target_find(kind, r) || (kind->direction == BUFFER_IN && r->call->size < kind->size))
        error = SBI_ERR_INVALID_PARAM;
    else if (kind->spares_caller && is_callers_own(r))
        error = SBI_ERR_DENIED;
    else if (kind->is_keepers && !has_terminal(r))
        error = SBI_ERR_INVALID_STATE;
    else
        error = kind->function(r);
    lock_release(&tree_lock);
    return error;
}

long manage_as(struct space *who, enum diosix_call function, struct manage_call *call)
{
    const struct manage_kind *kind = manage_kind(function);
    struct request r = {.caller = &tree_root, .call = call};

    if (who)
        r.caller = &state_of(container_of(who, struct capsule, space))->node;
    return kind ? manage_do(kind, &r) : SBI_ERR_NOT_SUPPORTED;
}
