#include "start.h"

#include <string.h>

#include "bits.h"
#include "call.h"
#include "devices.h"
#include "elf.h"
#include "format.h"
#include "funds.h"
#include "hart.h"
#include "transfer.h"
#include "user.h"

// What a new program is made of, until it runs. Nobody else knows of it yet.
struct start {
    const struct image *image;
    struct task *task;
    struct sv_start_page *page; // the kernel's view
    unsigned image_fault;       // enum sv_image_fault
};

// --- memory -----------------------------------------------------------------------------------------

// The task holds the region, as itself and nobody else: it is never told the handle.
static enum sv_status region_hold(struct task *t, struct region *r, unsigned rights)
{
    struct capability *place;
    enum sv_status status = table_take(t, &place);

    if (status == SV_OK)
        capability_make(place, &t->object, &r->object, rights, NULL);
    object_release(&r->object);
    return status;
}

// One of so many pages, the last of which is there.
static enum sv_status region_make(struct task *t, uint32_t pages, bool guarded, unsigned rights, struct region **out)
{
    struct region_plan plan = {.size = pages, .pages = pages, .guarded = guarded};
    enum sv_status status = region_create(t->funds, &plan, out);

    if (status != SV_OK)
        return status;
    if (region_populate(*out, pages - 1))
        return region_hold(t, *out, rights);
    object_release(&(*out)->object);
    return SV_NO_MEMORY;
}

static enum sv_status stack_make(struct task *t, uint32_t size)
{
    uint32_t pages = (size ? size : SV_STACK_DEFAULT) / FRAME_SIZE + ((size % FRAME_SIZE) != 0);
    struct region *r;

    if (pages > REGION_PAGES_MAX)
        return SV_INVALID;
    enum sv_status status = region_make(t, pages, true, SV_RIGHT_READ | SV_RIGHT_WRITE, &r);
    if (status != SV_OK)
        return status;
    t->stack_low = r->address;
    t->stack_high = r->address + (uintptr_t)pages * FRAME_SIZE;
    t->stack_top = region_page(r, pages - 1);
    return SV_OK;
}

static enum sv_status start_page_make(struct start *s)
{
    _Static_assert(sizeof(struct sv_start_page) <= FRAME_SIZE, "the start page is one");
    struct region *r;
    enum sv_status status = region_make(s->task, 1, false, SV_RIGHT_READ, &r);

    if (status != SV_OK)
        return status;
    s->task->start_page = r->address;
    s->page = region_page(r, 0);
    return SV_OK;
}

// Pages that hold bytes of the file are there before it is copied, without the lock.
static bool image_populate(const struct elf *e, struct region *r)
{
    for (uint32_t page = 0, done = 0; page < r->size; page++) {
        if (!elf_has_file_page(e, page))
            continue;
        if (!region_populate(r, page))
            return false;
        if (++done % STEP_WORK == 0)
            kernel_breathe();
    }
    return true;
}

static unsigned image_load(const struct elf *e, const struct region *r)
{
    kernel_leave(); // nobody else knows of the region
    unsigned fault = elf_load(e, r);
    kernel_enter();
    return fault;
}

static enum sv_status image_make(struct start *s)
{
    struct region_plan plan;
    struct region *r;
    struct elf e;

    s->image_fault = elf_open(&e, s->image->data, s->image->size);
    if (s->image_fault)
        return SV_BAD_IMAGE;
    elf_plan(&e, &plan);
    enum sv_status status = region_create(s->task->funds, &plan, &r);
    if (status != SV_OK)
        return status;
    if (!image_populate(&e, r))
        status = SV_NO_MEMORY;
    else if ((s->image_fault = image_load(&e, r)))
        status = SV_BAD_IMAGE;
    if (status != SV_OK) {
        object_release(&r->object);
        return status;
    }
    s->task->entry = elf_entry(&e, r);
    s->page->image_address = r->address;
    return region_hold(s->task, r, ACCESS_ALL);
}

static enum sv_status memory_make(struct start *s, uint32_t stack_size)
{
    enum sv_status status = start_page_make(s);

    if (status == SV_OK)
        status = stack_make(s->task, stack_size);
    if (status == SV_OK)
        status = image_make(s);
    if (status == SV_OK)
        space_code_changed(&s->task->space);
    return status;
}

// --- what it is given -------------------------------------------------------------------------------

// Under this name in the start page.
static void page_name(struct start *s, const char *name, const struct capability *c)
{
    struct sv_named_handle *n = &s->page->handles[s->page->count++];
    memcpy(n->name, name, sizeof(n->name) - 1);
    n->handle = capability_handle(c);
}

static enum sv_status give(struct start *s, const char name[SV_NAME_SIZE], struct object *object, unsigned rights,
                           struct capability *parent)
{
    struct capability *place;

    if (s->page->count == array_length(s->page->handles))
        return SV_LIMIT;
    enum sv_status status = table_take(s->task, &place);
    if (status != SV_OK)
        return status;
    capability_make(place, &s->task->object, object, rights, parent);
    page_name(s, name, place);
    return SV_OK;
}

static enum sv_status own_give(struct start *s)
{
    struct task *t = s->task;
    static const char task[SV_NAME_SIZE] = "task", frames[SV_NAME_SIZE] = "frames", clock[SV_NAME_SIZE] = "clock";

    enum sv_status status = give(s, task, &t->object, SV_RIGHT_WATCH | SV_RIGHT_END | SV_RIGHT_COPY, NULL);
    if (status == SV_OK)
        status = give(s, frames, &t->funds->object, SV_RIGHT_USE | SV_RIGHT_COPY, NULL);
    if (status == SV_OK)
        status = give(s, clock, &clock_object, SV_RIGHT_WAIT | SV_RIGHT_COPY, NULL);
    return status;
}

static void page_fill(struct start *s, uint64_t ticks_per_second, const char *arguments)
{
    struct sv_start_page *page = s->page;
    struct task *t = s->task;

    page->version = SV_VERSION;
    page->ticks_per_second = ticks_per_second;
    page->stack_low = t->stack_low;
    page->stack_high = t->stack_high;
    memcpy(t->program, s->image->name, sizeof(t->program));
    memcpy(page->program, s->image->name, sizeof(page->program));
    memcpy(page->arguments, arguments, strnlen(arguments, SV_ARGUMENTS_SIZE - 1));
}

// From now on it runs by itself.
static enum sv_status start_run(struct start *s, uint64_t budget)
{
    struct task *t = s->task;

    task_limit_runs(t, ticks_of(budget ? budget : SV_BUDGET_DEFAULT));
    t->state = TASK_WAITING;
    struct continuation *c = continuation_take(t, 0, t->start_page, NULL);
    CHECK(c);
    continuation_fire(c, SV_EVENT_START);
    return SV_OK;
}

// What was made of it goes again.
static void start_fail(struct start *s)
{
    task_end(s->task, (struct task_end){{SV_END_KILLED}});
}

// --- by a program -----------------------------------------------------------------------------------

struct grants {
    struct sv_grant grant[SV_GRANTS_MAX];
    struct sv_transfer transfer[SV_GRANTS_MAX];
    struct capability *from[SV_GRANTS_MAX];
    struct capability *place[SV_GRANTS_MAX];
    unsigned count;
};

static enum sv_status grants_read(struct task *t, const struct sv_start *want, struct grants *g)
{
    if (want->grant_count > SV_GRANTS_MAX || want->flags || want->stack_size > SV_REGION_MAX)
        return SV_INVALID;
    g->count = want->grant_count;
    if (!user_read(t, g->grant, (uintptr_t)want->grants, g->count * sizeof(*g->grant)))
        return SV_FAULT;
    for (unsigned i = 0; i < g->count; i++) {
        g->transfer[i] = g->grant[i].transfer;
        if (!memchr(g->grant[i].name, 0, SV_NAME_SIZE))
            return SV_INVALID;
    }
    return SV_OK;
}

// After all that may fail, and all that lets others have the lock.
static enum sv_status grants_make(struct task *t, struct start *s, struct grants *g)
{
    for (unsigned i = 0; i < g->count; i++) {
        enum sv_status status = table_take(s->task, &g->place[i]);
        if (status != SV_OK)
            return status; // the places go with the task
    }
    enum sv_status status = transfers_prepare(t, g->transfer, g->count, g->from);
    for (unsigned i = 0; status == SV_OK && i < g->count; i++) {
        transfer_commit(&g->transfer[i], g->from[i], g->place[i], &s->task->object);
        page_name(s, g->grant[i].name, g->place[i]);
    }
    return status;
}

// The budget that pays, and how much of it the new task gets beside its block.
static enum sv_status funds_find(struct task *t, const struct sv_start *want, struct funds **out, uint64_t *frames)
{
    const struct capability *c = capability_find(t, want->frames);

    if (!c)
        return SV_BAD_HANDLE;
    if (c->object->type != SV_TYPE_FRAMES)
        return SV_BAD_TYPE;
    if (!(c->rights & SV_RIGHT_USE))
        return SV_DENIED;
    *out = container_of(c->object, struct funds, object);
    *frames = want->frame_count;
    if (!*frames)
        *frames = funds_left(*out) > task_block_frames() ? funds_left(*out) - task_block_frames() : 0;
    return SV_OK;
}

static enum sv_status start_make(struct task *t, const struct sv_start *want, struct start *s, struct grants *g)
{
    struct funds *pays;
    uint64_t frames;
    enum sv_status status = grants_read(t, want, g);

    if (status == SV_OK)
        status = transfers_prepare(t, g->transfer, g->count, g->from); // before all the work
    if (status == SV_OK)
        status = funds_find(t, want, &pays, &frames);
    if (status == SV_OK)
        status = task_create(pays, frames, &s->task);
    if (status != SV_OK)
        return status;
    s->task->parent = t->object.id;
    status = memory_make(s, want->stack_size);
    if (status == SV_OK)
        status = own_give(s);
    if (status == SV_OK)
        status = grants_make(t, s, g);
    if (status != SV_OK)
        start_fail(s);
    return status;
}

enum sv_status call_start(struct task *t, struct capability *c)
{
    struct start s = {.image = container_of(c->object, struct image, object)};
    struct sv_start want;
    struct grants g;

    if (!user_read(t, &want, frame_argument(&t->frame, 0), sizeof(want)))
        return SV_FAULT;
    want.arguments[SV_ARGUMENTS_SIZE - 1] = 0;
    enum sv_status status = start_make(t, &want, &s, &g);
    if (status == SV_BAD_IMAGE)
        frame_value(&t->frame, 1, s.image_fault);
    if (status != SV_OK)
        return status;
    page_fill(&s, ticks_of(1000000000), want.arguments);
    call_give(t, &s.task->object, SV_RIGHT_WATCH | SV_RIGHT_END | SV_RIGHT_COPY, NULL);
    return start_run(&s, want.budget);
}

// --- by the kernel ----------------------------------------------------------------------------------

static enum sv_status interrupts_give(struct start *s, const struct machine *m)
{
    for (unsigned i = 0; i < INTERRUPTS_MAX; i++) {
        char name[SV_NAME_SIZE] = "";
        if (!(m->interrupts[i / 32] & 1u << i % 32))
            continue;
        format_print(name, sizeof(name), "interrupt-%u", i);
        enum sv_status status = give(s, name, interrupt_object(i), SV_RIGHT_WAIT | SV_RIGHT_COPY, NULL);
        if (status != SV_OK)
            return status == SV_LIMIT ? SV_OK : status; // a machine may have more than the page can name
    }
    return SV_OK;
}

static enum sv_status all_give(struct start *s, const struct machine *m)
{
    static const struct {
        char name[SV_NAME_SIZE];
        struct object *object;
        unsigned rights;
    } thing[] = {
        {"console", &console_object, SV_RIGHT_READ | SV_RIGHT_WRITE},
        {"archive", &archive_object, SV_RIGHT_USE},
        {"system", &system_object, SV_RIGHT_READ | SV_RIGHT_POWER},
        {"hypervisor", &hypervisor_object, SV_RIGHT_USE},
    };
    enum sv_status status = own_give(s);

    for (unsigned i = 0; status == SV_OK && i < array_length(thing) - !m->is_on_diosix; i++)
        status = give(s, thing[i].name, thing[i].object, thing[i].rights | SV_RIGHT_COPY, NULL);
    return status == SV_OK ? interrupts_give(s, m) : status;
}

// The first program: what init=NAME in the options says, or "init".
static void first_name(const char *options, char name[SV_NAME_SIZE])
{
    const char *at = options ? strstr(options, "init=") : NULL;
    size_t length = at && (at == options || at[-1] == ' ') ? strcspn(at + 5, " ") : 0;

    if (!length || length >= SV_NAME_SIZE) {
        strcpy(name, "init");
        return;
    }
    memcpy(name, at + 5, length);
    name[length] = 0;
}

static void none_tell(const struct machine *m, const char *name)
{
    if (!m->archive)
        log_error("no archive of programs: it is to be given as initrd");
    else if (!archive_count())
        log_error("the archive is broken, or no cpio file (newc, not compressed)");
    else
        log_error("no program \"%s\" in the archive", name);
}

bool start_init(const struct machine *m)
{
    char name[SV_NAME_SIZE];
    first_name(m->options, name);
    struct start s = {.image = archive_find(name)};

    if (!s.image) {
        none_tell(m, name);
        return false;
    }
    enum sv_status status = task_create(&machine_funds, funds_left(&machine_funds) - task_block_frames(), &s.task);
    if (status == SV_OK)
        status = memory_make(&s, 0);
    if (status == SV_OK)
        status = all_give(&s, m);
    if (status != SV_OK) {
        log_error("%s can't be started: error %d, image %u", name, (int)status, s.image_fault);
        return false;
    }
    page_fill(&s, m->ticks_per_second, m->options ? m->options : "");
    return start_run(&s, SV_BUDGET_FIRST) == SV_OK;
}
