// Copy this folder, give it and the file your program's name, and ./dio build makes it a program.
#include <stdio.h>

#include "sv.h"

int main(int argc, char **argv)
{
    printf("%s: started with %d arguments\n", argv[0], argc - 1);
    for (int i = 1; i < argc; i++)
        printf("%s: argument %d is '%s'\n", argv[0], i, argv[i]);
    return 0;
}
