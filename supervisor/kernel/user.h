// Memory of programs, as system calls name it.
//
// Only through the task's own page table, page by page: what the task may not access itself the kernel doesn't for it.
// Pages that it could touch are made to be there.
#pragma once

#include "task.h"

// False: the task may not access all of it so.
must_check bool user_read(struct task *t, void *out, uintptr_t address, size_t size);
must_check bool user_write(struct task *t, uintptr_t address, const void *from, size_t size);
