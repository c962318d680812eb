// Diosix's SBI extension: managing capsules from inside one.
//
// A call is an ECALL from S-mode with the extension in a7, the function in a6 and arguments in a0 to a5; the
// answer is an SBI error in a0 and a value in a1 (RISC-V SBI specification, "Binary Encoding"). Each function
// below says its arguments in order and its value.
//
// Who may. Every capsule may ask about itself, give up what it has, and yield; all else needs the right
// `manage`, and reaches the caller's own descendants only: whoever else there is, it can neither see nor name.
// The person at the management prompt is the root of the tree and reaches all.
//
// Names of capsules. An id is a number that is given once and never again, so one that is kept too long names
// nobody. As an argument, 0 is the caller.
//
// Structures. Passed by guest-physical address (two registers, low one first; the high one is 0 on RV64) with
// their size in bytes, so that they can grow at their end: what the caller has room for is written, what it
// does not give is 0. Little-endian, no padding but what is named. Any address in the caller's RAM, at any
// alignment. Text ends with a zero.
//
// Errors, beside each function's own:
//   SBI_ERR_NOT_SUPPORTED    no such function
//   SBI_ERR_DENIED           the caller lacks the right
//   SBI_ERR_INVALID_PARAM    no such capsule in the caller's reach, or an argument out of range
//   SBI_ERR_INVALID_ADDRESS  a structure that is not wholly in the caller's RAM
//   SBI_ERR_INVALID_STATE    (-10) not possible in the state that the capsule is in
//   SBI_ERR_FAILED           with a value of enum diosix_lack: what there is not enough of
#pragma once

#include <stdint.h>

#define DIOSIX_SBI_EXTENSION 0x0A000005
#define DIOSIX_INTERFACE_VERSION 0x00010000

#define DIOSIX_NAME_SIZE 32     // of a capsule or an image, with its terminating zero
#define DIOSIX_CMDLINE_MAX 1023 // bytes of a command line given at run time, without the zero
#define DIOSIX_BUFFER_MAX 4096  // the largest structure or piece of output that one call moves

enum diosix_call {
    DIOSIX_VERSION = 0, // (): DIOSIX_INTERFACE_VERSION
    DIOSIX_STATUS = 1,  // (id, size, address low, high): writes struct diosix_status; value: its full size
    DIOSIX_NEXT = 2, // (id): the descendant with the next higher id, 0 for the first; value: its id, 0 if none is left
    DIOSIX_CREATE = 3,   // (size, address low, high): makes a child of struct diosix_create; value: its id. It has
                         // no memory yet and is DIOSIX_STOPPED: DIOSIX_START runs it
    DIOSIX_START = 4,    // (id): takes memory, loads and runs a DIOSIX_STOPPED capsule
    DIOSIX_STOP = 5,     // (id, milliseconds): asks the guest to shut down, and kills it if it has not by then
    DIOSIX_KILL = 6,     // (id): ends it at once
    DIOSIX_RESTART = 7,  // (id): ends it at once and starts it again, even if it was asked to stop; a stopped one is
                         // started. SBI_ERR_INVALID_STATE: it is ending already
    DIOSIX_PAUSE = 8,    // (id): its vcores stop; its time goes on
    DIOSIX_RESUME = 9,   // (id)
    DIOSIX_FORK = 10,    // (id, size, address low, high): clones a running or paused capsule under gstage, copy on
                         // write; the name of the clone as text, size 0: made from the original's. Value: the
                         // clone's id; in the clone of the vcore that forked its own capsule 0. The clone is a
                         // child of the caller, and of the original if that is the caller.
                         // SBI_ERR_NOT_SUPPORTED: under pmp
    DIOSIX_DESTROY = 11, // (id): ends it with all its descendants, gives back all they had, and forgets them
    DIOSIX_SET = 12,     // (id, enum diosix_setting, value low, value high)
    DIOSIX_GIVE_UP = 13, // (enum diosix_setting RIGHTS or QUOTA_..., value low, high): the caller's own, for good:
                         // rights as a mask to lose, a quota as the new and smaller one
    DIOSIX_IMAGE = 14,   // (n, size, address low, high): writes struct diosix_image of image n, from 0, that capsules
                         // can be made of. SBI_ERR_INVALID_PARAM: there are fewer
    DIOSIX_OUTPUT = 15,  // (id, position, size, address low, high): kept console output from a position on, a count
                         // of bytes modulo 2^32; the oldest kept if that is gone. Writes struct diosix_output, then
                         // bytes; value: how many of these
    DIOSIX_INPUT = 16,   // (id, size, address low, high): types bytes at its console; value: how many it took
    DIOSIX_TRACE = 17,   // (id, position, size, address low, high): like DIOSIX_OUTPUT, struct diosix_trace and
                         // struct diosix_exit each, as many as fit; value: how many of these. Asking for it
                         // begins the tracing, size 0 ends it. The last 256 exits are kept, over restarts too
    DIOSIX_MACHINE = 18, // (size, address low, high): writes struct diosix_machine; value: its full size
    DIOSIX_HART = 19,    // (n, size, address low, high): writes struct diosix_hart of hart n, from 0
    DIOSIX_POWER = 20,   // (enum diosix_power): of the whole machine. The root alone
    DIOSIX_YIELD = 21,   // (vcore): gives the caller's hart time to that vcore of its own capsule, if that is ready
                         // to run and has no hart; -1: to any such
    DIOSIX_MEMORY = 22,  // (n, size, address low, high): writes struct diosix_memory of range n of RAM, from 0

    // The terminal, for a console service: a capsule with the rights manage and console. While it keeps the
    // terminal it speaks for the person there: its calls reach what the root's would, and itself.
    DIOSIX_KEEP = 23,  // (1 or 0): keeps the terminal from now on, or no longer. Value: the number of its interrupt
                       // (also /terminal in its device tree), which is high when there is something typed to read,
                       // room to show after there was none, or news. SBI_ERR_INVALID_STATE: another keeps it; the
                       // same for all calls below by whoever does not. It ends by itself with the capsule, and if
                       // what was typed is not read: then the hypervisor shows what was not called shown
    DIOSIX_TYPED = 24, // (size, address low, high): takes what was typed; value: how many bytes
    DIOSIX_SHOW = 25,  // (size, address low, high): bytes for the terminal; value: how many it took
    DIOSIX_NEWS = 26,  // (id): the capsule with the next higher id which has printed what is to be shown, 0 for the
                       // first; value: its id, 0 if none is left. The last are DIOSIX_ID_NOTICES and
                       // DIOSIX_ID_OWN: what the hypervisor says to the person in any case, and what it says
                       // besides, or that capsules have begun or ended; ids here, in the next two and in
                       // DIOSIX_OUTPUT. After 0 the interrupt is low until there is something again: look at
                       // everything then
    DIOSIX_SHOWN = 27, // (id, position): what it printed before that position has been shown
    DIOSIX_WATCH = 28, // (id, 1 or 0): whether its guest waits when what it prints is not shown in time (as it does
                       // at first), or goes on and the oldest is lost. Value: up to where it has been shown

    DIOSIX_DEVICE = 29,     // (id, slot, size, address low, high): writes struct diosix_device of the device in that
                            // slot, from 0. SBI_ERR_INVALID_PARAM: none is there, but there may be in another
    DIOSIX_DEVICE_SET = 30, // (id, slot + 256 * enum diosix_device_setting, value low, high): it takes effect when
                            // the device works next. SBI_ERR_INVALID_STATE: what was asked for before is not done yet
    DIOSIX_ATTACH = 31,     // (id, slot, size, address low, high): puts a disk of the machine into a disk device
                            // that is for such, or a partition of one, by its name as the manifest has it, as text; or,
                            // size 0, takes out the one that is there. The root alone
    DIOSIX_EQUIP = 32,      // (id, size, address low, high): gives a capsule that was never started a device, of struct
                            // diosix_equip, in its next slot. Value: which. SBI_ERR_INVALID_PARAM: no such image or
                            // switch, or none in the caller's reach; SBI_ERR_INVALID_STATE: it was started;
                            // SBI_ERR_DENIED: a disk of the machine, and the caller is not the root;
                            // DIOSIX_LACK_DEVICES: it has no slot left, or such a device already, of which there is
                            // one, or the switch has no port left
    DIOSIX_CALLS
};

#define DIOSIX_ID_NOTICES 0xfffffffeu
#define DIOSIX_ID_OWN 0xffffffffu

enum diosix_lack {
    DIOSIX_LACK_NONE,
    DIOSIX_LACK_QUOTA,    // the caller's quota
    DIOSIX_LACK_MEMORY,   // the machine's free memory, or none in one piece where pmp needs it
    DIOSIX_LACK_CAPSULES, // the hypervisor manages no more
    DIOSIX_LACK_HARTS,    // no hart would be left for the others
    DIOSIX_LACK_DEVICES,  // one of those it is to have is not there, or in use; or there is no place for it
};

enum diosix_state {
    DIOSIX_STOPPED, // has no memory: not started yet, or ended
    DIOSIX_LOADING, // also while it waits for its restart after a failure
    DIOSIX_RUNNING,
    DIOSIX_PAUSED,
    DIOSIX_ENDING,  // its memory is being cleared
    DIOSIX_FORKING, // a clone in the making
};

// Why it last ended.
enum diosix_ending {
    DIOSIX_ENDED_NOT,       // it has not ended yet
    DIOSIX_ENDED_SHUTDOWN,  // the guest switched itself off
    DIOSIX_ENDED_FAILURE,   // ... reporting a failure; detail[0]: the code it gave
    DIOSIX_ENDED_REBOOT,    // the guest asked for a reset
    DIOSIX_ENDED_STOPPED,   // all its vcores had stopped
    DIOSIX_ENDED_FAULT,     // a fault the guest could not be given; detail: cause, value, pc
    DIOSIX_ENDED_MEMORY,    // no memory was left for a page of its own (a clone)
    DIOSIX_ENDED_KILLED,    // by a person or an ancestor
    DIOSIX_ENDED_RESTARTED, // likewise, to start again
};

enum diosix_isolation { DIOSIX_ISOLATION_AUTO, DIOSIX_ISOLATION_GSTAGE, DIOSIX_ISOLATION_PMP };
enum diosix_restart { DIOSIX_RESTART_NEVER, DIOSIX_RESTART_ON_CRASH, DIOSIX_RESTART_ALWAYS };
enum diosix_power {
    DIOSIX_POWER_OFF,
    DIOSIX_POWER_REBOOT,
    DIOSIX_POWER_END, // off, telling whether all capsules ended well; they have, or it is the wrong state
};

// Rights, as bits.
#define DIOSIX_RIGHT_MANAGE 1u  // to have children, and to do all of the above to descendants
#define DIOSIX_RIGHT_CONSOLE 2u // to move what capsules print and read

enum diosix_setting {
    DIOSIX_SET_WEIGHT = 1,       // 1 to 1000
    DIOSIX_SET_CAP = 2,          // percent of one hart, for all its vcores together; 0: no cap
    DIOSIX_SET_AFFINITY = 3,     // mask of harts; 0: all
    DIOSIX_SET_EXCLUSIVE = 4,    // 1: the harts of its affinity are its own; the root alone
    DIOSIX_SET_RESTART = 5,      // enum diosix_restart
    DIOSIX_SET_RIGHTS = 6,       // of a child: no more than the caller has
    DIOSIX_SET_QUOTA_MEMORY = 7, // what its descendants may have in all, bytes; out of the caller's own
    DIOSIX_SET_QUOTA_VCORES = 8,
    DIOSIX_SET_QUOTA_CAPSULES = 9,
};

enum diosix_device_kind {
    DIOSIX_DEVICE_RNG = 1,
    DIOSIX_DEVICE_DISK,      // in memory
    DIOSIX_DEVICE_HOST_DISK, // a disk of the machine, or a part of one
    DIOSIX_DEVICE_NET,
    DIOSIX_DEVICE_VSOCK,
    DIOSIX_DEVICE_BALLOON,
    DIOSIX_DEVICE_CONSOLE,
};

// What a capsule is given. Of RNG, BALLOON, CONSOLE and VSOCK nothing else is to be said; a VSOCK reaches the
// management service alone. A HOST_DISK, which only the root gives, has no disk in it until DIOSIX_ATTACH puts one in.
struct diosix_equip {
    uint32_t kind;               // enum diosix_device_kind
    uint32_t flags;              // DIOSIX_EQUIP_...
    char name[DIOSIX_NAME_SIZE]; // of a disk, which image of the bundle it holds. Of a network device, the switch that
                                 // it is on: any of the bundle's for the root; for others, those they are on themselves
    uint64_t overlay;            // of a disk: bytes that may be changed, a multiple of 4096; 0: it can only be read
};

// A network device that reaches no others that are so. What is made by who is so on that switch is, in any case.
#define DIOSIX_EQUIP_ISOLATED 1u
// A disk of the machine that the capsule can't write.
#define DIOSIX_EQUIP_READONLY 2u

enum diosix_device_setting {
    DIOSIX_DEVICE_SET_REQUESTS = 1, // in a second, each way, of a disk or network device; 0: no limit
    DIOSIX_DEVICE_SET_BYTES = 2,
    DIOSIX_DEVICE_SET_SIZE = 3, // of a disk, bytes, a multiple of 512; 0: all there is. Of a balloon, what the guest
                                // is to do without; SBI_ERR_NOT_SUPPORTED: under pmp
    DIOSIX_DEVICE_SET_OUT = 4,  // 1: a network device's link is down, a disk in memory is out of its drive; 0: not
};

// Bits of diosix_device.flags.
#define DIOSIX_DEVICE_USED 1u     // a driver has it
#define DIOSIX_DEVICE_OUT 2u      // its link is down, or there is no disk in it
#define DIOSIX_DEVICE_READONLY 4u // a disk that can't be written

// What went one way since the capsule was made; from the guest: what it sent, wrote or gave back. A drop is a frame
// that was lost at this device.
struct diosix_flow {
    uint64_t requests, bytes, errors, drops;
};

struct diosix_device {
    uint32_t kind; // enum diosix_device_kind
    uint32_t flags;
    char name[40];      // serial number of a disk, name of a disk of the machine or of a switch
    uint8_t address[8]; // of a network device, six bytes
    uint64_t size;      // of a disk, as the guest sees it; of a balloon, what is in it
    uint64_t wanted;    // size as it was set
    uint64_t limit_requests, limit_bytes;
    struct diosix_flow to_guest, from_guest;
};

struct diosix_quota {
    uint64_t memory; // bytes
    uint32_t vcores;
    uint32_t capsules;
};

struct diosix_create {
    char name[DIOSIX_NAME_SIZE];   // [a-z][a-z0-9-]*, not dio; of its own among all capsules of the machine
    char kernel[DIOSIX_NAME_SIZE]; // names of images
    char initrd[DIOSIX_NAME_SIZE]; // empty: none
    uint64_t memory;               // bytes, a multiple of 2 MiB on RV64, 4 MiB on RV32
    uint32_t vcores;
    uint32_t isolation; // enum diosix_isolation
    uint32_t restart;   // enum diosix_restart
    uint32_t rights;
    struct diosix_quota quota; // for its own descendants
    uint32_t weight;           // 0: 100
    uint32_t cap;
    uint64_t affinity;
    char cmdline[]; // the rest of the size given, with or without a zero; may be empty
};

enum diosix_exit_kind {
    DIOSIX_EXIT_TIMER, // SBI calls: set timer
    DIOSIX_EXIT_IPI,   // ... inter-processor interrupts
    DIOSIX_EXIT_FENCE, // ... remote fences
    DIOSIX_EXIT_CALL,  // ... others
    DIOSIX_EXIT_DEVICE,
    DIOSIX_EXIT_WAIT,      // WFI and WRS
    DIOSIX_EXIT_INTERRUPT, // the hypervisor's own
    DIOSIX_EXIT_OTHER,     // instructions emulated, faults given back, pages copied
    DIOSIX_EXIT_KINDS
};

struct diosix_status {
    char name[DIOSIX_NAME_SIZE];
    uint32_t id, parent; // parent 0: the caller, or the machine
    uint32_t state;      // enum diosix_state
    uint32_t ending;     // enum diosix_ending
    uint64_t detail[3];
    uint64_t memory;         // bytes of RAM it sees
    uint64_t memory_private; // of it, not shared with clones
    uint64_t hart_time;      // had by all its vcores, nanoseconds
    uint64_t exits[DIOSIX_EXIT_KINDS];
    uint64_t running_since; // nanoseconds since the machine's start; of the last start
    uint32_t vcores;
    uint32_t vcores_started; // by the guest
    uint32_t isolation;      // enum diosix_isolation, never auto
    uint32_t restart;
    uint32_t restarts;
    uint32_t failures; // in a row
    uint32_t weight, cap;
    uint64_t affinity;
    uint32_t exclusive;
    uint32_t rights;
    uint32_t asked; // 1: it has been asked to shut down, and will be killed if it does not
    uint32_t reserved;
    struct diosix_quota quota, used; // of its descendants, and what of it is given out
    // What the vcore did that ended it, if a vcore did: for ENDED_FAULT, FAILURE and REBOOT.
    uint32_t crash_vcore; // its number plus 1; 0: nothing is kept
    uint32_t backtrace_count;
    uint64_t pc, registers[32]; // registers[0] is 0
    uint64_t backtrace[8];      // return addresses by the chain of frame pointers
};

struct diosix_image {
    char name[DIOSIX_NAME_SIZE];
    uint64_t size;
    uint32_t kind; // 0: anything, 1: a kernel
    uint32_t reserved;
};

struct diosix_output {
    uint32_t position; // of the first byte that follows
    uint32_t end;      // of all that was printed until now
};

struct diosix_exit {
    uint64_t time;     // nanoseconds since the machine's start
    uint32_t duration; // nanoseconds in the hypervisor; when another vcore ran in between, until it ran again.
                       // 0xffffffff: longer than that says, or not over yet
    uint16_t vcore;
    uint8_t kind;      // enum diosix_exit_kind
    uint8_t interrupt; // 1: cause is an interrupt
    uint32_t cause;    // mcause without its top bit
    uint32_t detail;   // SBI: the extension; devices: the address; else the instruction, where known
};

struct diosix_trace {
    uint32_t position; // of the first record that follows
    uint32_t end;
};

struct diosix_machine {
    char model[64];
    char version[32]; // of Diosix
    uint32_t harts;
    uint32_t timebase_hz;
    uint32_t capsules;                            // that exist
    uint32_t isolation;                           // what auto stands for
    uint64_t memory, memory_free, memory_largest; // bytes; the last: the longest free piece
    uint64_t memory_own;                          // the hypervisor's, with tables
    uint64_t uptime;                              // nanoseconds
    char isa[256];                                // what guests get, as in riscv,isa
};

enum diosix_memory_kind {
    DIOSIX_MEMORY_CAPSULES,   // capsules' RAM, the bundle, what is free or reserved
    DIOSIX_MEMORY_HYPERVISOR, // closed to guests
};

struct diosix_memory {
    uint64_t start, size; // host-physical, bytes
    uint32_t kind;        // enum diosix_memory_kind
    uint32_t reserved;
};

struct diosix_hart {
    uint64_t id;        // mhartid
    uint64_t idle_time; // nanoseconds
    uint32_t owner;     // id of the capsule whose own it is, 0: for all
    uint32_t runs;      // id of the capsule that runs there, 0: none
};
