// A run that is limited to a group may act by what is in the group, and by nothing else that the task holds.
#include "../check.h"

static struct sv_handle inside, outside, group;

static void limited(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                    sv_word handle_count, const struct sv_handle *handles)
{
    struct sv_handle made;
    struct sv_what what;
    (void)argument, (void)event, (void)word0, (void)word1, (void)word2, (void)word3, (void)handle_count, (void)handles;
    check_status(sv_send(inside, 1, 2, 3, 4), SV_OK, "send by what is in the group");
    check_status(sv_send(outside, 1, 2, 3, 4), SV_BAD_HANDLE, "send by what is not");
    check_status(sv_what(sv_frames, &what), SV_BAD_HANDLE, "the budget of memory");
    check_status(sv_what(group, &what), SV_OK, "the group itself");
    check_status(sv_member(group, 0, &made), SV_OK, "a handle to its member");
    check_status(sv_send(made, 1, 2, 3, 4), SV_OK, "send by what the run has made");
    check_status(sv_member(group, 1, &made), SV_NOT_FOUND, "a second member");
}

static void after(void *nothing)
{
    struct sv_what what;
    struct sv_handle none = SV_NONE, made;
    (void)nothing;
    check(sv_what(inside, &what) == SV_OK && what.value[0] == 2, "both messages are there");
    check_status(sv_what(outside, &what), SV_OK, "without limits again");
    check_status(sv_group(&none, 1, &made), SV_BAD_HANDLE, "a group of what is none");
    check_status(sv_group(&inside, 0, &made), SV_INVALID, "a group of nothing");
    check_status(sv_group(&inside, SV_GROUP_MAX + 1, &made), SV_INVALID, "too large a group");
    struct sv_then then = {.code = limited, .group = &none};
    check_status(sv_then_with(sv_self, &then, NULL), SV_BAD_HANDLE, "limits that are none");
    then.group = &inside;
    check_status(sv_then_with(sv_self, &then, NULL), SV_BAD_TYPE, "limits that are no group");
    then.group = (const struct sv_handle *)8;
    check_status(sv_then_with(sv_self, &then, NULL), SV_FAULT, "limits at an address that is not ours");
    check_status(sv_drop(inside), SV_OK, "drop the member");
    check(sv_member(group, 0, &made) != SV_OK, "it is gone from the group, too");
    sv_drop(outside);
    sv_drop(group);
    sv_exit((sv_word)check_result());
}

void program(void)
{
    inside = channel_make(4);
    outside = channel_make(4);
    check_status(sv_group(&inside, 1, &group), SV_OK, "a group");
    const struct sv_then then = {.code = limited, .group = &group};
    check_status(sv_then_with(sv_self, &then, NULL), SV_OK, "a run with limits");
    sv_go(after, NULL);
}
