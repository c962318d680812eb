#include "sbi.h"

#include "csr.h"

static bool is_offered(unsigned long extension)
{
    switch (extension) {
    case SBI_EXT_BASE:
    case SBI_EXT_TIME:
    case SBI_EXT_IPI:
    case SBI_EXT_RFENCE:
    case SBI_EXT_HSM:
    case SBI_EXT_SRST:
    case SBI_EXT_DBCN:
    case SBI_EXT_SUSP:
    case SBI_EXT_PMU:
    case SBI_EXT_STA:
    case SBI_EXT_FWFT:
    case DIOSIX_SBI_EXTENSION:
        return true;
    default:
        return extension <= SBI_EXT_LEGACY_LAST;
    }
}

// "Base Extension"
static enum exit sbi_base(struct vcore *v, unsigned long function)
{
    switch (function) {
    case 0:
        return sbi_return(v, SBI_SUCCESS, SBI_VERSION);
    case 1:
        return sbi_return(v, SBI_SUCCESS, SBI_IMPLEMENTATION_ID);
    case 2:
        return sbi_return(v, SBI_SUCCESS, SBI_IMPLEMENTATION_VERSION);
    case 3:
        return sbi_return(v, SBI_SUCCESS, is_offered(ARGUMENT(v, 0)));
    case 4:
        return sbi_return(v, SBI_SUCCESS, csr_read(CSR_MVENDORID));
    case 5:
        return sbi_return(v, SBI_SUCCESS, csr_read(CSR_MARCHID));
    case 6:
        return sbi_return(v, SBI_SUCCESS, csr_read(CSR_MIMPID));
    default:
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    }
}

// What is not called often.
static enum exit other_call(struct vcore *v, unsigned long extension, unsigned long function)
{
    switch (extension) {
    case SBI_EXT_SRST:
        return sbi_srst(v, function);
    case SBI_EXT_SUSP:
        return sbi_susp(v, function);
    case SBI_EXT_PMU:
        return sbi_pmu(v, function);
    case SBI_EXT_STA:
        return sbi_sta(v, function);
    case SBI_EXT_FWFT:
        return sbi_fwft(v, function);
    case DIOSIX_SBI_EXTENSION:
        return sbi_diosix(v, function);
    default:
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    }
}

enum exit sbi_call(struct vcore *v)
{
    unsigned long extension = ARGUMENT(v, 7), function = ARGUMENT(v, 6);

    csr_write(CSR_MEPC, csr_read(CSR_MEPC) + 4);
    switch (extension) {
    case SBI_EXT_TIME:
        v->exits[KIND_TIMER]++;
        return sbi_time(v, function);
    case SBI_EXT_IPI:
        v->exits[KIND_IPI]++;
        return sbi_ipi(v, function);
    case SBI_EXT_RFENCE:
        return sbi_rfence(v, function);
    case SBI_EXT_BASE:
        v->exits[KIND_CALL]++;
        return sbi_base(v, function);
    case SBI_EXT_HSM:
        v->exits[KIND_CALL]++;
        return sbi_hsm(v, function);
    case SBI_EXT_DBCN:
        v->exits[KIND_CALL]++;
        return sbi_dbcn(v, function);
    default:
        break;
    }
    if (extension <= SBI_EXT_LEGACY_LAST)
        return sbi_legacy(v, extension);
    v->exits[KIND_CALL]++;
    return other_call(v, extension, function);
}
