// The management service that guests talk to: a request is a line of numbers, one of the calls of include/diosix.h; the
// answer is a line, too (docs/vsock.md). How bytes get to and fro is the business of who calls this (virtio/vsock.c);
// what they say is manage/service.c's.
//
// One hart at a time is at work on a talk. A step takes the management lock, so the caller holds none of the
// hypervisor's ordinary locks.
#pragma once

#include "types.h"

struct space;
struct talk;

#define SERVICE_DATA 640u       // bytes that a call can read or write
#define SERVICE_INPUT 1408u     // bytes that may wait to be read, and of a line with its end
#define SERVICE_TALK_SIZE 3584u // bytes of memory for one

enum service_step {
    SERVICE_IDLE, // until it hears more, or what it said was taken
    SERVICE_MORE, // it can go on at once
};

// Begins a talk, in zeroed memory, with the capsule whose memory `who` is.
void service_open(struct talk *t, struct space *who);

// Where what the guest says is to be put, and how many bytes of it there is room for.
uint8_t *service_room(struct talk *t, uint32_t *count);
void service_heard(struct talk *t, uint32_t count);
// How many have not been read yet.
uint32_t service_waiting(const struct talk *t);

// Reads a line and does what it asks for.
enum service_step service_step(struct talk *t);

// What it has to say, and how much of that was taken.
uint32_t service_words(struct talk *t, const char **at);
void service_said(struct talk *t, uint32_t count);
