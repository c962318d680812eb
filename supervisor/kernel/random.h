// Random numbers: handles, and what programs ask for.
//
// ChaCha20 by fast key erasure: each time the store is filled, the first bytes of the stream become the next key, and
// what is drawn is wiped; who learns the state later learns nothing about what was drawn before. The time of each
// filling goes in as the nonce.
#pragma once

#include "kernel.h"

void random_init(const uint8_t seed[64]);

// Up to SV_SEED_MAX bytes. Cheap but for one call in many.
void random_draw(void *out, size_t size);
