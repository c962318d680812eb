// What the console says by itself.
#pragma once

// Words the pending notices into the empty screen.out. Under the console's lock.
void notice_compose(void);
