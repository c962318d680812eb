// What the parts of machine discovery share. Private to machine*.c.
#pragma once

#include "host_tree.h"
#include "machine.h"

#define DISCOVERY_CLINTS_MAX 8
#define DISCOVERY_PLICS_MAX 4
#define DISCOVERY_SYSCONS_MAX 8

// Interrupt numbers at a hart's own controller.
enum { IRQ_M_SOFT = 3, IRQ_M_TIMER = 7, IRQ_M_EXTERNAL = 11 };

// A CLINT or an ACLINT device: where its registers are (size 0: it has none of these), and whom it
// interrupts.
struct clint_node {
    struct range mtime, mtimecmp, msip;
    struct host_tree_value targets;
};

struct plic_node {
    uint32_t phandle;
    uint32_t ndev;
    struct range registers;
    struct host_tree_value targets;
};

struct syscon_node {
    uint32_t phandle;
    uint8_t io_width;
    struct range registers;
};

// A syscon-poweroff or syscon-reboot.
struct action_node {
    bool present;
    uint32_t regmap; // phandle of its syscon
    uint32_t offset, value, mask;
};

// Which of the root's children the walk is in.
enum discovery_section { SECTION_DEVICES, SECTION_CPUS, SECTION_RESERVED };

// What is gathered on the walk. Nodes refer to each other in any order, so references are resolved
// when it is over.
struct discovery {
    struct machine *machine;
    struct machine_error *why;
    struct host_tree tree;
    enum discovery_section section;

    bool hart_open;                      // nodes below the last hart are being visited
    struct host_tree_value isa_texts[3]; // the last one read, because harts are mostly alike
    struct isa isa;
    enum status isa_status;

    int stdout_node;      // offset of the node that stdout-path names, negative if none
    uint32_t stdout_baud; // 0 if not said
    uint32_t uart_parent; // phandle of the UART's interrupt controller

    struct clint_node clints[DISCOVERY_CLINTS_MAX];
    size_t clint_count;
    struct plic_node plics[DISCOVERY_PLICS_MAX];
    size_t plic_count;
    struct syscon_node syscons[DISCOVERY_SYSCONS_MAX];
    size_t syscon_count;
    struct action_node poweroff, reboot;
};

// About the node the walk is at.
enum status discovery_fail_here(struct discovery *d, const char *text);
void discovery_note_here(struct discovery *d, const char *text);
// About another one.
enum status discovery_fail(struct discovery *d, const char *node, const char *text);
void discovery_note(struct discovery *d, const char *node, const char *text);

// machine_harts.c
void harts_visit_cpus(struct discovery *d);
void harts_visit(struct discovery *d);
void harts_visit_intc(struct discovery *d);
// Once devices are known: harts without what it takes go.
must_check enum status harts_finish(struct discovery *d);

// machine_devices.c
void devices_find_stdout(struct discovery *d);
void devices_visit(struct discovery *d);
// Resolves who is connected to what; before harts_finish().
void devices_finish(struct discovery *d);
