#include "view.h"

#include "console.h"
#include "pump.h"

static struct stream *stream_of(struct list *link)
{
    return container_of(link, struct stream, link);
}

// The links round the list, without its head and the hypervisor's own stream.
static struct stream *capsule_from(struct list *link, bool before)
{
    while (link == &console.streams || link == &console_dio.link)
        link = before ? link->prev : link->next;
    return stream_of(link);
}

static bool capsule_exists(void)
{
    return console.streams.prev != &console_dio.link;
}

static bool is_listed(const struct stream *s)
{
    return s && s != console_prompt && s != &console_terminal;
}

struct stream *view_next(struct stream *s)
{
    return capsule_exists() ? capsule_from(is_listed(s) ? s->link.next : &console.streams, false) : NULL;
}

struct stream *view_previous(struct stream *s)
{
    return capsule_exists() ? capsule_from(is_listed(s) ? s->link.prev : &console.streams, true) : NULL;
}

struct stream *view_capsule(unsigned n)
{
    for (struct list *link = console_dio.link.next; link != &console.streams; link = link->next)
        if (!n--)
            return stream_of(link);
    return NULL;
}

struct stream *view_input(void)
{
    return console.attached ? console.attached : view_capsule(0);
}

static void watch(struct stream *s, bool watched)
{
    stream_watch(s, watched);
    pump_starved(s);
}

// A line that was on its way is left as far as it is: the notice ends it.
void view_set(struct stream *s)
{
    if (console.current != &console_urgent)
        console.current = NULL;
    console.attached = s;
    console.fast = NULL;
    console.scan = true;
    console.turn = &console.streams;
    for (struct list *link = console.streams.next; link != &console.streams; link = link->next)
        watch(stream_of(link), !s || s == stream_of(link) || s == &console_terminal);
    watch(&console_terminal, s == &console_terminal);
    if (console_prompt)
        watch(console_prompt, s == console_prompt);
    if (is_listed(s)) // the prompt draws its line itself
        stream_rewind(s);
    console.notices = s == &console_terminal ? 0 : console.notices | NOTICE_VIEW;
}
