// Lists of what there is, from SV_INSPECT.
#include "shell.h"

#include <stdio.h>
#include <string.h>

#include "sv.h"

// The things of a kind, one after another, by ids that only grow; what comes and goes meanwhile may be missed.
#define FOR_EACH(kind, thing)                                                                                          \
    for (uint32_t id = 0, from = 0;                                                                                    \
         sv_inspect(sv_granted("system"), kind, from, &(thing), sizeof(thing), &id) == SV_OK && id >= from;            \
         from = id + 1)

void show_programs(void)
{
    struct sv_program program;
    FOR_EACH(SV_KIND_PROGRAM, program)
    printf("%-16.31s %7llu bytes\n", program.name, (unsigned long long)program.size);
}

static const char *task_state(uint32_t state)
{
    static const char *const states[] = {"waiting", "ready", "running"};
    return state < sizeof(states) / sizeof(*states) ? states[state] : "?";
}

static unsigned long long milliseconds(uint64_t ticks)
{
    return ticks * 1000 / sv_started->ticks_per_second;
}

void show_tasks(void)
{
    struct sv_task task;
    printf("   id parent program          state   hart  caps conts     memory      runs    time\n");
    FOR_EACH(SV_KIND_TASK, task)
    printf("%5u %6u %-16.31s %-7s %4u %5u %5u %5uK/%uK %5llu %5llums\n", (unsigned)task.id, (unsigned)task.parent,
           task.program, task_state(task.state), (unsigned)task.hart, (unsigned)task.capabilities,
           (unsigned)task.continuations, (unsigned)task.frames_used * 4, (unsigned)task.frames * 4,
           (unsigned long long)task.runs, milliseconds(task.ticks));
}

void show_regions(void)
{
    struct sv_region region;
    printf("   id owner            address       size    there holders\n");
    FOR_EACH(SV_KIND_REGION, region)
    printf("%5u %5u %18llx %9lluK %7uK %7u\n", (unsigned)region.id, (unsigned)region.owner,
           (unsigned long long)region.address, (unsigned long long)(region.size / 1024), (unsigned)region.pages * 4,
           (unsigned)region.holders);
}

static const char *type_name(uint32_t type)
{
    static const char *const names[SV_TYPES] = {"none",  "region",    "frames",    "channel", "task",
                                                "clock", "interrupt", "console",   "archive", "image",
                                                "group", "system",    "hypervisor"};
    return type < SV_TYPES ? names[type] : "?";
}

static void rights_print(uint32_t rights)
{
    static const char *const names[] = {"read", "write", "execute", "send",  "receive", "watch",
                                        "end",  "wait",  "use",     "power", "copy"};
    const char *between = "";
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (rights & 1u << i) {
            printf("%s%s", between, names[i]);
            between = ",";
        }
    }
    printf("\n");
}

void show_capabilities(uint32_t task)
{
    struct sv_capability capability;
    printf("   id  task type           object parent rights\n");
    FOR_EACH(SV_KIND_CAPABILITY, capability)
    {
        if (task && capability.task != task)
            continue;
        printf("%5u %5u %-10s %10u %6u ", (unsigned)capability.id, (unsigned)capability.task,
               type_name(capability.type), (unsigned)capability.object, (unsigned)capability.parent);
        rights_print(capability.rights);
    }
}

void show_channels(void)
{
    struct sv_channel channel;
    printf("   id waiting depth senders receivers       sent\n");
    FOR_EACH(SV_KIND_CHANNEL, channel)
    printf("%5u %7u %5u %7u %9u %10llu\n", (unsigned)channel.id, (unsigned)channel.waiting, (unsigned)channel.depth,
           (unsigned)channel.senders, (unsigned)channel.receivers, (unsigned long long)channel.sent);
}

void show_machine(void)
{
    struct sv_machine machine;
    uint32_t id;
    enum sv_status status = sv_inspect(sv_granted("system"), SV_KIND_MACHINE, 0, &machine, sizeof(machine), &id);
    if (status != SV_OK) {
        printf("shell: %s\n", sv_status_text(status));
        return;
    }
    printf("%s\n", machine.description);
    printf("harts %u, memory %lluK, free %lluK\n", (unsigned)machine.harts, (unsigned long long)machine.frames * 4,
           (unsigned long long)machine.frames_free * 4);
    printf("tasks %u, regions %u, capabilities %u, channels %u, programs %u\n", (unsigned)machine.tasks,
           (unsigned)machine.regions, (unsigned)machine.capabilities, (unsigned)machine.channels,
           (unsigned)machine.programs);
    printf("up %llu ms, %llu ticks a second\n", milliseconds(machine.ticks),
           (unsigned long long)machine.ticks_per_second);
}
