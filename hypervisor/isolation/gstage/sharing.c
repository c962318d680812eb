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

// --- blank pages -----------------------------------------------------------------------------------

// What all pages that were given back lead to, read-only: one frame of zeros, for all capsules and for ever.
static struct hpa blank;
static struct lock blank_lock; // until it is there
#define BLANK_OWNER UINT16_MAX // no capsule, and not the hypervisor, from whose memory guests can't read

static bool is_blank(const struct gstage_leaf *leaf)
{
    return blank.value && leaf->host.value == blank.value;
}

static bool blank_get(void)
{
    struct hpa frame;

    lock_acquire(&blank_lock);
    if (!blank.value && frames_allocate(0, BLANK_OWNER, &frame) == STATUS_OK) {
        memset(hpa_pointer(frame), 0, FRAME_SIZE); // RAM that nobody had yet holds whatever it was left with
        blank = frame;
    }
    lock_release(&blank_lock);
    return blank.value;
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

static unsigned run_without_blank(const struct gstage_leaf *leaf, unsigned count)
{
    uint64_t distance = (blank.value - leaf->host.value) / FRAME_SIZE;
    return distance < count ? (unsigned)distance : count;
}

static enum status fork_blank(struct space *child, struct gpa a, uint64_t *bytes, unsigned *work)
{
    void *to;
    enum status status = gstage_slot(&gstage_pool, &child->tables, GSTAGE_MODE, gstage_root(child), a, 0, &to);

    if (status != STATUS_OK)
        return status;
    struct gstage_leaf leaf = {.entry = to, .size = FRAME_SIZE};
    gstage_change(GSTAGE_MODE, &leaf, blank, GSTAGE_SHARED);
    *bytes = FRAME_SIZE;
    *work += 1;
    return STATUS_OK;
}

// What follows from `a` on that is one piece in the parent's table: its leaf, or several small ones.
static enum status fork_piece(struct space *child, struct space *parent, struct gpa a, uint64_t *bytes, unsigned *work)
{
    struct gstage_leaf leaf;
    void *to;

    bool found = leaf_find(parent, a, &leaf);
    CHECK(found);
    if (is_blank(&leaf))
        return fork_blank(child, a, bytes, work);
    // Of a larger page, too many frames might have to be looked at in one step.
    enum status status = leaf_cut(parent, &leaf, a, GSTAGE_MEGA);
    if (status == STATUS_OK)
        status = gstage_slot(&gstage_pool, &child->tables, GSTAGE_MODE, gstage_root(child), a, leaf.level, &to);
    if (status != STATUS_OK)
        return status;
    unsigned count = leaf.level ? 1 : gstage_run(GSTAGE_MODE, &leaf, FORK_WORK);
    if (leaf.level == 0) // the frame of the blank ones may be next to another's
        count = run_without_blank(&leaf, count);
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

// Blank pages around one that is written, which mostly are written soon: so there is one fence for all of them.
#define FILL_PAGES 32u

static struct gpa fill_page(struct gpa page, unsigned n)
{
    return gpa(align_down(page.value, FILL_PAGES * FRAME_SIZE) + n * FRAME_SIZE);
}

// What memory there is for beyond the page itself; bit n of *filled: page n of its group.
static enum status blank_fill(struct space *s, struct gpa page, struct gstage_leaf *leaf, uint32_t *filled)
{
    struct gstage_leaf other;
    enum status status = leaf_copy(s, leaf);

    if (status != STATUS_OK)
        return status;
    *filled = 1u << (page.value / FRAME_SIZE % FILL_PAGES);
    for (unsigned n = 0; n < FILL_PAGES; n++)
        if (leaf_find(s, fill_page(page, n), &other) && is_blank(&other) && leaf_copy(s, &other) == STATUS_OK)
            *filled |= 1u << n;
    return STATUS_OK;
}

// The first half of a write. `leaf` says what has become of the page: OWN, or FRESH, and then *old is what it
// was a copy of if it was made here.
static enum status page_prepare(struct space *s, struct gpa page, struct gstage_leaf *leaf, struct hpa *old,
                                uint32_t *filled)
{
    if (!leaf_find(s, page, leaf))
        return STATUS_NOT_FOUND;
    if (leaf->rights != GSTAGE_SHARED)
        return STATUS_OK;
    if (is_blank(leaf))
        return blank_fill(s, page, leaf, filled);
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

static void leaf_commit(struct space *s, struct gpa page)
{
    struct gstage_leaf leaf;

    if (leaf_find(s, page, &leaf) && leaf.rights == GSTAGE_FRESH)
        gstage_change(GSTAGE_MODE, &leaf, leaf.host, GSTAGE_OWN);
}

// Every hart uses the copy now: it may be written.
// Unless pages went back meanwhile, as it may be another copy then that is found: its turn comes with the next fault.
static void page_commit(struct space *s, struct gpa page, uint32_t filled, uint32_t discards)
{
    lock_acquire(&s->lock);
    if (s->discards != discards) {
        lock_release(&s->lock);
        return;
    }
    leaf_commit(s, page);
    for (; filled; filled &= filled - 1)
        leaf_commit(s, fill_page(page, (unsigned)__builtin_ctz(filled)));
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
    uint32_t filled = 0;

    if (!s->forked)
        return STATUS_NOT_FOUND;
    lock_acquire(&s->lock);
    enum status status = page_prepare(s, page, &leaf, &old, &filled);
    uint32_t discards = s->discards;
    lock_release(&s->lock);
    if (status != STATUS_OK)
        return status;
    if (leaf.rights == GSTAGE_FRESH) {
        // Nobody may read the old page when the new one is written, or it is another's.
        if (filled)
            space_fence_others_all(s);
        else
            space_fence_others(s, page);
        page_commit(s, page, filled, discards);
        fence_i();
    }
    // H extension, "Hypervisor Memory-Management Fence Instructions": orders this hart alone. Where a page
    // has only become writable, others may find it read-only a last time, and come here.
    if (filled)
        hfence_gvma_vmid(s->vmid);
    else
        hfence_gvma_address_vmid((unsigned long)(page.value >> 2), s->vmid);
    if (old.value)
        page_drop(s, old);
    return STATUS_OK;
}

enum status space_run_writable(struct space *s, struct gpa a, struct hpa *out, uint64_t *run)
{
    if (!s->forked) {
        *run = space_run_extents(s, a, out);
        return *run ? STATUS_OK : STATUS_NOT_FOUND;
    }
    // A page that went back since is the blank one, and never written. Whoever gives back another waits for us first.
    do {
        enum status status = space_write_fault(s, a);
        if (status != STATUS_OK)
            return status;
    } while (!space_run_own(s, a, out));
    // Of a large page that is its own, the rest comes next time.
    *run = FRAME_SIZE - (a.value & (FRAME_SIZE - 1));
    return STATUS_OK;
}

uint64_t space_run_own(const struct space *s, struct gpa a, struct hpa *out)
{
    struct gstage_leaf leaf;

    if (!s->forked)
        return space_run_extents(s, a, out);
    if (!leaf_find(s, a, &leaf) || leaf.rights == GSTAGE_SHARED)
        return 0;
    uint64_t offset = a.value & (leaf.size - 1);
    *out = hpa(leaf.host.value + offset);
    return leaf.size - offset;
}

// --- doing without -------------------------------------------------------------------------------------

// A page that somebody is about to write stays.
static enum status page_blank(struct space *s, struct gpa page, struct hpa *old)
{
    struct gstage_leaf leaf;

    *old = hpa(0);
    if (!leaf_find(s, page, &leaf))
        return STATUS_NOT_FOUND;
    if (is_blank(&leaf) || leaf.rights == GSTAGE_FRESH)
        return STATUS_OK;
    enum status status = leaf_cut(s, &leaf, page, FRAME_SIZE);
    if (status != STATUS_OK)
        return status;
    if (leaf.rights == GSTAGE_OWN)
        s->own_bytes -= FRAME_SIZE;
    *old = leaf.host;
    gstage_change(GSTAGE_MODE, &leaf, blank, GSTAGE_SHARED);
    return STATUS_OK;
}

enum status space_discard(struct space *s, const struct gpa *pages, unsigned count)
{
    struct hpa old[SPACE_DISCARD_MAX];
    enum status status = STATUS_OK;
    unsigned done = 0;

    if (s->kind != ISOLATION_GSTAGE)
        return STATUS_UNSUPPORTED;
    if (!blank_get())
        return STATUS_NO_MEMORY;
    lock_acquire(&s->lock);
    s->forked = true;
    s->discards++;
    while (done < count && status == STATUS_OK)
        status = page_blank(s, gpa(align_down(pages[done].value, FRAME_SIZE)), &old[done]), done++;
    lock_release(&s->lock);
    // Who has looked by extents, or has cached what was there, is done with it then.
    space_fence_others_all(s);
    hfence_gvma_vmid(s->vmid);
    fence_i();
    for (unsigned i = 0; i < done; i++)
        if (old[i].value)
            page_drop(s, old[i]);
    return status;
}

// --- giving it back ------------------------------------------------------------------------------------

// The first piece of what is left at `a` that is the space's own or shared as one. What is its own is
// scrubbed, at most *budget bytes of it.
static uint64_t release_piece(struct space *s, struct gpa a, const struct gstage_leaf *leaf, uint64_t *budget)
{
    uint64_t offset = a.value & (leaf->size - 1), done;
    struct hpa at = hpa(leaf->host.value + offset);

    if (is_blank(leaf))
        return leaf->size;

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
