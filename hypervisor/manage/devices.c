// Management calls on a capsule's devices.
#include <string.h>

#include "equip.h"
#include "manage_calls.h"

long call_device(struct request *r)
{
    struct diosix_device out;

    if (r->call->n[1] >= VIRTIO_SLOTS || !equip_tell(r->target, (unsigned)r->call->n[1], &out))
        return SBI_ERR_INVALID_PARAM;
    return answer_struct(r, &out, sizeof(out));
}

static long error_of(struct request *r, enum status status)
{
    if (status == STATUS_NO_MEMORY)
        r->call->value = DIOSIX_LACK_MEMORY;
    switch (status) {
    case STATUS_OK:
        return SBI_SUCCESS;
    case STATUS_BUSY:
        return SBI_ERR_INVALID_STATE;
    case STATUS_NO_MEMORY:
        return SBI_ERR_FAILED;
    case STATUS_UNSUPPORTED:
        return SBI_ERR_NOT_SUPPORTED;
    default:
        return SBI_ERR_INVALID_PARAM;
    }
}

long call_device_set(struct request *r)
{
    uint64_t what = r->call->n[1];

    if (what > UINT16_MAX)
        return SBI_ERR_INVALID_PARAM;
    return error_of(r, equip_set(r->target, what & 0xff, (enum diosix_device_setting)(what >> 8), r->call->n[2]));
}

// The machine's disks are no capsule's to give.
long call_attach(struct request *r)
{
    const char *name = r->call->size ? r->call->buffer : NULL;

    if (!is_root(r))
        return SBI_ERR_DENIED;
    if (r->call->n[1] >= VIRTIO_SLOTS || (name && strnlen(name, r->call->size) == r->call->size))
        return SBI_ERR_INVALID_PARAM;
    enum status status = equip_attach(r->target, (unsigned)r->call->n[1], name);
    if (status != STATUS_NOT_FOUND && status != STATUS_DENIED)
        return error_of(r, status);
    r->call->value = DIOSIX_LACK_DEVICES;
    return SBI_ERR_FAILED;
}
