/* Releases of TensorRT, as the first line of its calibration caches numbers them. */
#include "quant/quantizer.h"

#include <stdlib.h>

/* A number and the dot behind it, if there is one; false: no number, or above `most`. */
static bool version_part(const char **text, unsigned long most, unsigned long *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    *out = strtoul(*text, &end, 10);
    *text = *end == '.' ? end + 1 : end;
    return *out <= most && (*end == '.' || !*end);
}

/* NV_TENSORRT_VERSION: major * 1000 + minor * 100 + patch up to 9, major * 10000 from 10 on. */
rc_status rci_tensorrt_version(uint32_t *version, const char *text)
{
    unsigned long major = 0, minor = 0, patch = 0;
    const char *at = text;
    const bool ok = version_part(&at, 10, &major) && major >= 2 &&
                    version_part(&at, major < 10 ? 9 : 99, &minor) &&
                    version_part(&at, 99, &patch) && !*at;
    *version = (uint32_t) (major * (major < 10 ? 1000 : 10000) + minor * 100 + patch);
    if (ok)
        return RC_OK;
    return rci_fail(RC_ERR_ARG,
                    "tensorrt is \"%s\", allowed are releases such as 8.6.1, from 2 to 10: later "
                    "ones have no calibration caches",
                    text);
}
