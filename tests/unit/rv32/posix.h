// A command's output, as POSIX has it: the host runs the command.
#pragma once

#include <stdio.h>

FILE *popen(const char *command, const char *mode);
int pclose(FILE *file);
