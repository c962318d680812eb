// What a virtio device over MMIO and its driver agree on (VIRTIO 1.3, sections 2.7 and 4.2.2): for the devices of
// guests and the drivers of the machine's.
#pragma once

#include "types.h"

// Section 4.2.2, "MMIO Device Register Layout".
enum virtio_register {
    VIRTIO_MAGIC_VALUE = 0x000,
    VIRTIO_VERSION = 0x004,
    VIRTIO_DEVICE_ID = 0x008,
    VIRTIO_VENDOR_ID = 0x00c,
    VIRTIO_DEVICE_FEATURES = 0x010,
    VIRTIO_DEVICE_FEATURES_SELECT = 0x014,
    VIRTIO_DRIVER_FEATURES = 0x020,
    VIRTIO_DRIVER_FEATURES_SELECT = 0x024,
    VIRTIO_QUEUE_SELECT = 0x030,
    VIRTIO_QUEUE_SIZE_MAX = 0x034,
    VIRTIO_QUEUE_SIZE = 0x038,
    VIRTIO_QUEUE_READY = 0x044,
    VIRTIO_QUEUE_NOTIFY = 0x050,
    VIRTIO_INTERRUPT_STATUS = 0x060,
    VIRTIO_INTERRUPT_ACK = 0x064,
    VIRTIO_STATUS = 0x070,
    VIRTIO_QUEUE_DESCRIPTORS = 0x080, // low; 4 more: high
    VIRTIO_QUEUE_AVAILABLE = 0x090,
    VIRTIO_QUEUE_USED = 0x0a0,
    VIRTIO_SHARED_MEMORY_LENGTH = 0x0b0,
    VIRTIO_SHARED_MEMORY_END = 0x0c0,
    VIRTIO_CONFIG_GENERATION = 0x0fc,
    VIRTIO_CONFIG = 0x100,
};

#define VIRTIO_MAGIC 0x74726976u // "virt"
#define VIRTIO_ID_NET 1u
#define VIRTIO_ID_BALLOON 5u
#define VIRTIO_ID_BLOCK 2u
#define VIRTIO_ID_CONSOLE 3u
#define VIRTIO_ID_RNG 4u
#define VIRTIO_ID_VSOCK 19u

// Feature bits that all devices may have (section 6).
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

enum virtio_status {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128,
};

// What an interrupt is for: bits of InterruptStatus.
#define VIRTIO_INTERRUPT_USED 1u
#define VIRTIO_INTERRUPT_CONFIG 2u

#define VIRTIO_AVAILABLE_NO_INTERRUPT 1u // section 2.7.6, flags

// Section 2.7.5.
struct virtio_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};
_Static_assert(sizeof(struct virtio_descriptor) == 16, "as the specification has it");

#define VIRTIO_DESCRIPTOR_NEXT 1u
#define VIRTIO_DESCRIPTOR_WRITE 2u
#define VIRTIO_DESCRIPTOR_INDIRECT 4u

// Section 2.7.8.
struct virtio_used {
    uint32_t head, written;
};

// The block device (section 5.2): features, requests and what is answered.
#define VIRTIO_BLK_F_RO (1u << 5)
#define VIRTIO_BLK_F_FLUSH (1u << 9)

struct virtio_blk_header {
    uint32_t type, reserved;
    uint64_t sector;
};
enum virtio_blk_type {
    VIRTIO_BLK_IN = 0,
    VIRTIO_BLK_OUT = 1,
    VIRTIO_BLK_FLUSH = 4,
    VIRTIO_BLK_GET_ID = 8,
    VIRTIO_BLK_DISCARD = 11,
    VIRTIO_BLK_WRITE_ZEROES = 13,
};
enum virtio_blk_result { VIRTIO_BLK_OK = 0, VIRTIO_BLK_IOERR = 1, VIRTIO_BLK_UNSUPPORTED = 2 };
#define VIRTIO_BLK_SECTOR 512u
#define VIRTIO_BLK_ID_SIZE 20u // not terminated if it is that long

// The network device (section 5.1): features, configuration, and what comes before each frame.
#define VIRTIO_NET_F_CSUM (1u << 0)
#define VIRTIO_NET_F_GUEST_CSUM (1u << 1)
#define VIRTIO_NET_F_MAC (1u << 5)
#define VIRTIO_NET_F_GUEST_TSO4 (1u << 7)
#define VIRTIO_NET_F_GUEST_TSO6 (1u << 8)
#define VIRTIO_NET_F_GUEST_ECN (1u << 9)
#define VIRTIO_NET_F_HOST_TSO4 (1u << 11)
#define VIRTIO_NET_F_HOST_TSO6 (1u << 12)
#define VIRTIO_NET_F_HOST_ECN (1u << 13)
#define VIRTIO_NET_F_MRG_RXBUF (1u << 15)
#define VIRTIO_NET_F_STATUS (1u << 16)
#define VIRTIO_NET_RECEIVE 0u // queues
#define VIRTIO_NET_TRANSMIT 1u
#define VIRTIO_NET_LINK_UP 1u

struct virtio_net_config {
    uint8_t mac[6];
    uint16_t status;
};
struct virtio_net_header {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
_Static_assert(sizeof(struct virtio_net_header) == 12, "as the specification has it");
#define VIRTIO_NET_NEEDS_CHECKSUM 1u // flags
#define VIRTIO_NET_GSO_NONE 0u       // gso_type, perhaps with the last
#define VIRTIO_NET_GSO_TCPV4 1u
#define VIRTIO_NET_GSO_TCPV6 4u
#define VIRTIO_NET_GSO_ECN 0x80u

// The socket device (section 5.10): features, queues, and what comes before each packet's bytes.
#define VIRTIO_VSOCK_F_STREAM (1u << 0)
#define VIRTIO_VSOCK_RECEIVE 0u
#define VIRTIO_VSOCK_TRANSMIT 1u
#define VIRTIO_VSOCK_EVENT 2u
#define VIRTIO_VSOCK_EVENT_TRANSPORT_RESET 0u
#define VIRTIO_VSOCK_STREAM 1u           // a type
#define VIRTIO_VSOCK_SHUTDOWN_RECEIVE 1u // flags of a SHUTDOWN: what its sender won't do any more
#define VIRTIO_VSOCK_SHUTDOWN_SEND 2u

enum virtio_vsock_operation {
    VIRTIO_VSOCK_REQUEST = 1,
    VIRTIO_VSOCK_RESPONSE = 2,
    VIRTIO_VSOCK_RST = 3,
    VIRTIO_VSOCK_SHUTDOWN = 4,
    VIRTIO_VSOCK_RW = 5,
    VIRTIO_VSOCK_CREDIT_UPDATE = 6,
    VIRTIO_VSOCK_CREDIT_REQUEST = 7,
};

struct virtio_vsock_header {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port, len;
    uint16_t type, op;
    uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct virtio_vsock_header) == 44, "as the specification has it");
