// sources: tests/unit/fake/manage.c tests/unit/fake/prompt.c lib/format.c lib/edit.c
// sources: prompt/ask.c prompt/command.c prompt/devices.c prompt/listing.c prompt/operate.c prompt/out.c
// sources: prompt/parse.c prompt/show.c prompt/units.c
// sources: programs/console/line.c programs/console/complete.c programs/console/leave.c
// Whatever is typed, however slowly the output goes, and whatever becomes of the capsules meanwhile: each step
// makes no more than it has room for, and in the end there is a prompt again that does what it is told.
#include <stdlib.h>
#include <string.h>

#include "manage_fake.h"
#include "out.h"
#include "prompt_fake.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define STEPS 100000u

// The machine changes; the first byte says how.
static void world_change(uint8_t how)
{
    static const long errors[] = {0, -1, -2, -3, -4, -10, 0, 0};
    struct diosix_status *s = &fake_capsules[how % FAKE_CAPSULES];
    fake_error = errors[how & 7];
    fake_lack = how >> 5;
    prompt_disturb = how & 8;
    prompt_attached = true;
    prompt_room = how & 16 ? how : SIZE_MAX;
    if (how & 32)
        s->name[0] = 0;
    if (how & 64)
        fake_add("more", how % (fake_capsule_count + 1), DIOSIX_RUNNING);
    if (how & 128)
        s->state = s->ending = s->crash_vcore = s->backtrace_count = s->failures = how % 6;
    fake_records = how;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    if (!begun)
        fake_add("linux1", 0, DIOSIX_RUNNING);
    begun = true;
    if (fake_capsule_count == FAKE_CAPSULES)
        fake_capsule_count = 1;
    fake_log = "some\x1b[31m text\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";
    while (size) {
        size_t piece = size < 20 ? size : 20;
        world_change(data[0]);
        prompt_keys(data + 1, piece - 1);
        REQUIRE(prompt_settle(STEPS));
        REQUIRE(out_length() < OUT_SIZE);
        prompt_time_passes();
        data += piece;
        size -= piece;
    }
    prompt_room = SIZE_MAX;
    prompt_attached = true;
    fake_capsule_count = 1;
    strcpy(fake_capsules[0].name, "linux1");
    prompt_keys("q\r\x03\x1b\r", 5);
    REQUIRE(prompt_settle(STEPS));
    while (prompt_time_passes() && !strstr(prompt_shown, "dio> "))
        REQUIRE(prompt_settle(STEPS));
    prompt_shown_length = 0;
    prompt_keys("q\rimages\r", 9);
    REQUIRE(prompt_settle(STEPS));
    REQUIRE(strstr(prompt_shown, "linux-initrd"));
    return 0;
}
