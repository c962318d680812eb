// What tests want to know of lives that nobody else may.
#pragma once

void lives_reset(void);      // as at boot, for another run
unsigned lives_living(void); // what the machine's end waits for
unsigned lives_owners(void); // owners of frames that are given out
