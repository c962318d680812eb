// What the parts of machine discovery share. Private to machine*.c.
#pragma once

#include "host_tree.h"
#include "machine.h"

#define DISCOVERY_DEVICES_MAX 16
#define DISCOVERY_UARTS_MAX 8
#define DISCOVERY_VIRTIO_MAX 32

// Interrupt numbers at a hart's own controller.
enum { IRQ_M_SOFT = 3, IRQ_M_TIMER = 7, IRQ_M_EXTERNAL = 11 };

// A device that others refer to, or that refers to others.
struct device_node {
    uint16_t kinds; // machine_devices.c
    uint8_t io_width;
    uint32_t phandle;
    uint32_t ndev;                  // a PLIC's sources
    struct range registers[2];      // the second of size 0 if it has one only
    struct host_tree_value targets; // interrupts-extended: whom it interrupts
};

// A serial port that could be the console.
struct uart_node {
    int offset;      // of the node
    uint32_t parent; // phandle of its interrupt controller
    struct uart_config config;
};

struct virtio_node {
    uint32_t parent; // phandle of its interrupt controller
    struct virtio_slot slot;
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

    const char *stdout_path; // null if there is none
    struct action_node poweroff, reboot;
    size_t device_count, uart_count, virtio_count;
    struct device_node devices[DISCOVERY_DEVICES_MAX];
    struct uart_node uarts[DISCOVERY_UARTS_MAX];
    struct virtio_node virtio[DISCOVERY_VIRTIO_MAX];
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
void devices_visit(struct discovery *d);
// Resolves who is connected to what; before harts_finish().
void devices_finish(struct discovery *d);
