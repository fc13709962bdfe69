/* Runs a fuzz target on files, for compilers without libFuzzer and to repeat a finding. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        fseek(f, 0, SEEK_END);
        const long size = ftell(f);
        rewind(f);
        uint8_t *data = malloc(size > 0 ? (size_t) size : 1);
        const size_t n = data ? fread(data, 1, (size_t) size, f) : 0;
        fclose(f);
        LLVMFuzzerTestOneInput(data, n);
        free(data);
        printf("%s: ok\n", argv[i]);
    }
    return 0;
}
