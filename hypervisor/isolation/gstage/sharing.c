// Copy on write: forks, writes to what is shared, and giving it back.
#include <string.h>

#include "bits.h"
#include "fences.h"
#include "frames.h"
#include "gstage.h"
#include "log.h"

// Bounds of one step. A large page counts as its blocks of frames, mostly one.
#define FORK_WORK 512u
#define RELEASE_BYTES (256u << 10)
#define RELEASE_PIECES 128u

static struct gpa ram_at(const struct space *s, uint64_t offset)
{
    return gpa(space_base(s).value + offset);
}

static bool leaf_find(const struct space *s, struct gpa a, struct gstage_leaf *leaf)
{
    return a.value - space_base(s).value < s->size && gstage_find(GSTAGE_MODE, gstage_root(s), a, leaf);
}

// A smaller one, no larger than `size`, that maps `a` too.
static enum status leaf_cut(struct space *s, struct gstage_leaf *leaf, struct gpa a, uint64_t size)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && leaf->size > size)
        status = gstage_cut(&gstage_pool, &s->tables, GSTAGE_MODE, leaf, a);
    return status;
}

__attribute__((noinline)) uint64_t gstage_run_at(const struct space *s, struct gpa a, struct hpa *out)
{
    struct gstage_leaf leaf;

    if (!leaf_find(s, a, &leaf))
        return 0;
    uint64_t offset = a.value & (leaf.size - 1);
    *out = hpa(leaf.host.value + offset);
    return leaf.size - offset;
}

// --- forking ---------------------------------------------------------------------------------------

enum status space_fork_begin(struct space *child, struct space *parent, uint16_t owner, const char **why)
{
    if (parent->kind != ISOLATION_GSTAGE) {
        *why = "fork needs isolation gstage: under pmp a capsule's memory can't be mapped a second time";
        return STATUS_UNSUPPORTED;
    }
    *child = (struct space){
        .kind = ISOLATION_GSTAGE, .serial = space_serial_next(), .owner = owner, .size = parent->size, .forked = true};
    child->extents[0] = (struct extent){space_base(parent), hpa(0), parent->size};
    child->extent_count = 1;
    enum status status = gstage_attach_empty(child);
    if (status != STATUS_OK)
        *why = "no memory left for second-stage tables";
    else
        parent->forked = true;
    return status;
}

// What follows from `a` on that is one piece in the parent's table: its leaf, or several small ones.
static enum status fork_piece(struct space *child, struct space *parent, struct gpa a, uint64_t *bytes, unsigned *work)
{
    struct gstage_leaf leaf;
    void *to;

    bool found = leaf_find(parent, a, &leaf);
    CHECK(found);
    // Of a larger page, too many frames might have to be looked at in one step.
    enum status status = leaf_cut(parent, &leaf, a, GSTAGE_MEGA);
    if (status == STATUS_OK)
        status = gstage_slot(&gstage_pool, &child->tables, GSTAGE_MODE, gstage_root(child), a, leaf.level, &to);
    if (status != STATUS_OK)
        return status;
    unsigned count = leaf.level ? 1 : gstage_run(GSTAGE_MODE, &leaf, FORK_WORK);
    *bytes = count * leaf.size;
    status = frames_share(leaf.host, *bytes, parent->owner, work);
    if (status != STATUS_OK)
        return status;
    gstage_share(GSTAGE_MODE, &leaf, to, count);
    *work += count / 8; // an entry is much less work than a block
    if (leaf.rights != GSTAGE_SHARED)
        parent->own_bytes -= *bytes;
    return STATUS_OK;
}

enum status space_fork_step(struct space *child, struct space *parent, uint64_t *progress)
{
    unsigned work = 0;
    uint64_t bytes;
    enum status status = STATUS_OK;

    while (work < FORK_WORK && *progress < parent->size) {
        status = fork_piece(child, parent, ram_at(parent, *progress), &bytes, &work);
        if (status != STATUS_OK)
            break;
        *progress += bytes;
    }
    // The parent may not write any more what harts still know as writable.
    space_forget(parent);
    return status;
}

// --- writing -----------------------------------------------------------------------------------------

// Takes back what the leaf maps, if nobody else has it any more.
static bool leaf_claim(struct space *s, struct gstage_leaf *leaf)
{
    if (!frames_claim(leaf->host, leaf->size, s->owner))
        return false;
    gstage_change(GSTAGE_MODE, leaf, leaf->host, GSTAGE_OWN);
    s->own_bytes += leaf->size;
    return true;
}

// All who read it find the same as before, here or there, as long as nobody writes; so nobody does.
static enum status leaf_copy(struct space *s, struct gstage_leaf *leaf)
{
    struct hpa copy;

    if (frames_allocate(0, s->owner, &copy) != STATUS_OK)
        return STATUS_NO_MEMORY;
    memcpy(hpa_pointer(copy), hpa_pointer(leaf->host), FRAME_SIZE);
    gstage_change(GSTAGE_MODE, leaf, copy, GSTAGE_FRESH);
    s->own_bytes += FRAME_SIZE;
    return STATUS_OK;
}

// The first half of a write. `leaf` says what has become of the page: OWN, or FRESH, and then *old is what it
// was a copy of if it was made here.
static enum status page_prepare(struct space *s, struct gpa page, struct gstage_leaf *leaf, struct hpa *old)
{
    if (!leaf_find(s, page, leaf))
        return STATUS_NOT_FOUND;
    if (leaf->rights != GSTAGE_SHARED)
        return STATUS_OK;
    enum status status = leaf_cut(s, leaf, page, GSTAGE_MEGA);
    if (status != STATUS_OK || leaf_claim(s, leaf))
        return status;
    if (leaf->size > FRAME_SIZE) {
        status = leaf_cut(s, leaf, page, FRAME_SIZE);
        if (status != STATUS_OK || leaf_claim(s, leaf))
            return status;
    }
    *old = leaf->host;
    return leaf_copy(s, leaf);
}

// Every hart uses the copy now: it may be written.
static void page_commit(struct space *s, struct gpa page)
{
    struct gstage_leaf leaf;

    lock_acquire(&s->lock);
    if (leaf_find(s, page, &leaf) && leaf.rights == GSTAGE_FRESH)
        gstage_change(GSTAGE_MODE, &leaf, leaf.host, GSTAGE_OWN);
    lock_release(&s->lock);
}

// Drops what a copy was made of. The others may have left meanwhile: then it is to be scrubbed here.
static void page_drop(struct space *s, struct hpa old)
{
    uint64_t done;

    if (!frames_unshare(old, FRAME_SIZE, s->owner, &done))
        return;
    memset(hpa_pointer(old), 0, FRAME_SIZE);
    frames_free(old, FRAME_SIZE, s->owner);
}

enum status space_write_fault(struct space *s, struct gpa a)
{
    struct gpa page = gpa(align_down(a.value, FRAME_SIZE));
    struct gstage_leaf leaf;
    struct hpa old = hpa(0);

    if (!s->forked)
        return STATUS_NOT_FOUND;
    lock_acquire(&s->lock);
    enum status status = page_prepare(s, page, &leaf, &old);
    lock_release(&s->lock);
    if (status != STATUS_OK)
        return status;
    if (leaf.rights == GSTAGE_FRESH) {
        // Nobody may read the old page when the new one is written, or it is another's.
        space_fence_others(s, page);
        page_commit(s, page);
        fence_i();
    }
    // H extension, "Hypervisor Memory-Management Fence Instructions": orders this hart alone. Where a page
    // has only become writable, others may find it read-only a last time, and come here.
    hfence_gvma_address_vmid((unsigned long)(page.value >> 2), s->vmid);
    if (old.value)
        page_drop(s, old);
    return STATUS_OK;
}

enum status space_run_writable(struct space *s, struct gpa a, struct hpa *out, uint64_t *run)
{
    if (!s->forked) {
        *run = space_run(s, a, out);
        return *run ? STATUS_OK : STATUS_NOT_FOUND;
    }
    enum status status = space_write_fault(s, a);
    if (status != STATUS_OK)
        return status;
    (void)gstage_run_at(s, a, out);
    // Of a large page that is its own, the rest comes next time.
    *run = FRAME_SIZE - (a.value & (FRAME_SIZE - 1));
    return STATUS_OK;
}

// --- giving it back ------------------------------------------------------------------------------------

// The first piece of what is left at `a` that is the space's own or shared as one. What is its own is
// scrubbed, at most *budget bytes of it.
static uint64_t release_piece(struct space *s, struct gpa a, const struct gstage_leaf *leaf, uint64_t *budget)
{
    uint64_t offset = a.value & (leaf->size - 1), done;
    struct hpa at = hpa(leaf->host.value + offset);

    if (!frames_unshare(at, leaf->size - offset, s->owner, &done))
        return done;
    if (done > *budget)
        done = *budget;
    memset(hpa_pointer(at), 0, done);
    frames_free(at, done, s->owner);
    *budget -= done;
    return done;
}

bool gstage_release_step(struct space *s)
{
    struct gstage_leaf leaf;
    uint64_t budget = RELEASE_BYTES;

    if (s->hgatp == 0)
        return false;
    for (unsigned pieces = 0; pieces < RELEASE_PIECES && budget && s->released < s->size; pieces++) {
        struct gpa a = ram_at(s, s->released);
        if (!leaf_find(s, a, &leaf)) { // a fork that wasn't finished ends here
            s->released = s->size;
            break;
        }
        s->released += release_piece(s, a, &leaf, &budget);
        if (leaf.level == 0 && is_aligned(s->released, GSTAGE_MEGA))
            gstage_prune(&gstage_pool, &s->tables, GSTAGE_MODE, gstage_root(s), a);
    }
    if (s->released < s->size)
        return true;
    gstage_detach(s);
    s->extent_count = 0;
    return false;
}
