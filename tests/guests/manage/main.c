// Management of capsules by a capsule: needs the right `manage`, and a quota for some small children.
#include "suite.h"

static const struct test tests[] = {
    {"call.version", manage_version},
    {"call.self", manage_self},
    {"call.create-bad", manage_create_bad},
    {"call.addresses", manage_addresses},
    {"call.foreign", manage_foreign},
    {"call.machine", machine_tell},
    {"life.start-and-end", life_start_and_end},
    {"life.kill", life_kill},
    {"life.restart", life_restart},
    {"life.pause", life_pause},
    {"life.stop", life_stop},
    {"life.crash", life_crash},
    {"life.details", life_details},
    {"life.console", life_console},
    {"life.devices", life_devices},
    {"life.destroy", life_destroy},
    {"trace.kinds", trace_kinds},
    {"trace.lives", trace_lives},
    {"trace.switch", trace_switch},
    {"tree.grandchildren", tree_grandchildren},
    {"tree.ends-with-parent", tree_ends_with_parent},
    {"tree.quota", tree_quota},
    {"tree.rights", tree_rights},
    {"settings", settings},
    {"socket.service", socket_service},
    {"socket.refusals", socket_refusals},
    {"fork.self", fork_self},
    {"fork.child", fork_child},
    {"fork.counts", fork_counts},
    {"fork.asked", fork_asked},
    {"fork.rights", fork_rights},
    {"fork.many", fork_many},
    {"loops.from-all-harts", loops_from_all_harts},
    {"give-up", give_up}, // the last: nothing comes back
};

static void children_remove(void)
{
    uint32_t id;
    while ((id = (uint32_t)manage_call(DIOSIX_NEXT, 0, 0, 0).value) && child_remove(id)) {
    }
}

int payload_main(void)
{
    char role[16];
    if (tree_option("role", role, sizeof role))
        return child_main();
    harts_start();
    test_clean_up = children_remove;
    return suite_run("manage", tests, sizeof tests / sizeof tests[0]);
}
