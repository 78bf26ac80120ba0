/* fuzz_ubj.c - any bytes as an XGBoost model in UBJ. The first byte is given, so that all
 * of the effort goes into UBJ. */
#include "fuzz/forest.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);

    if (bytes && size >= 2 && memchr("iUIlL$#", data[1], 7)) {
        memcpy(bytes, data, size);
        bytes[0] = '{';
        forest_try(forest_read_xgboost, bytes, size);
    }
    free(bytes);
    return 0;
}
