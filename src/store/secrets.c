/* secrets.c - what the installation keeps to itself. */
#include "store/registry.h"
#include "store/sql.h"

#include <assert.h>

static_assert(SECRET_BYTES == 32); /* as the schema has it */

enum status secret_insert(struct store *store, const char *name,
                          const unsigned char secret[static SECRET_BYTES],
                          struct err *err)
{
    struct query query = query_write(store, SQL_SECRET_INSERT);
    bool is_taken;
    enum status rc;

    put_string(&query, name);
    put_bytes(&query, secret, SECRET_BYTES);
    query_row(&query);
    is_taken = query_is_duplicate(&query);
    rc = query_end(&query, "write a secret", err);
    if (is_taken)
        rc = err_set(err, STATUS_CONFLICT, "there is a secret '%s' already", name);
    return rc;
}

enum status secret_find(struct store *store, const char *name,
                        unsigned char secret[static SECRET_BYTES], struct err *err)
{
    struct query query = query_start(store, SQL_SECRET_FIND);
    bool is_found;
    enum status rc;

    put_string(&query, name);
    is_found = query_row(&query);
    if (is_found) {
        take_bytes(&query, secret, SECRET_BYTES);
        take_intact(&query);
    }
    rc = query_end(&query, "read a secret", err);
    if (!rc && !is_found)
        rc = err_set(err, STATUS_NOT_FOUND, "there is no secret '%s'", name);
    return rc;
}
