// DBCN: the debug console.
#include "bits.h"
#include "console.h"
#include "sbi.h"

// A call moves at most this much, so that no guest keeps a hart for long; callers go on with the rest.
#define CALL_BYTES_MAX 1024u

static enum exit transfer(struct vcore *v, bool write)
{
    unsigned long wanted = ARGUMENT(v, 0), done = 0;
    struct gpa a = sbi_address(v, 1);
    struct capsule *c = v->capsule;
    struct hpa host;

    if (!space_contains(&c->space, a, wanted))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (wanted > CALL_BYTES_MAX)
        wanted = CALL_BYTES_MAX;
    // Reading the console writes the guest's memory.
    uint64_t run = 0;
    if (write)
        run = space_run(&c->space, a, &host);
    else if (wanted && space_run_writable(&c->space, a, &host, &run) == STATUS_NO_MEMORY) {
        vcore_end(v, ENDING_MEMORY);
        return EXIT_END;
    }
    if (wanted > run)
        wanted = (unsigned long)run;
    uint8_t *bytes = hpa_pointer(host);
    if (write) {
        done = stream_write(&c->stream, bytes, wanted);
        capsule_output_made();
    } else {
        for (int byte; done < wanted && (byte = stream_read(&c->stream)) >= 0; done++)
            bytes[done] = (uint8_t)byte;
    }
    return sbi_return(v, SBI_SUCCESS, done);
}

enum exit sbi_dbcn(struct vcore *v, unsigned long function)
{
    uint8_t byte = (uint8_t)ARGUMENT(v, 0);

    switch (function) {
    case 0:
        return transfer(v, true);
    case 1:
        return transfer(v, false);
    case 2:
        if (!stream_write(&v->capsule->stream, &byte, 1))
            return sbi_again();
        capsule_output_made();
        return sbi_return(v, SBI_SUCCESS, 0);
    default:
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    }
}
