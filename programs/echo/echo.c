// Tells what is typed, until it is q.
#include <ctype.h>
#include <stdio.h>

int main(void)
{
    int key, count = 0;

    printf("echo: type something; q ends it\n");
    while ((key = getchar()) != EOF && key != 'q') {
        count++;
        if (isprint(key))
            printf("echo: '%c', which is %d\n", key, key);
        else
            printf("echo: %d\n", key);
    }
    printf("echo: %s after %d keys\n", key == EOF ? "no more keys" : "q", count);
    return 0;
}
