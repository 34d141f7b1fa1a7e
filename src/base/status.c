/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <hostftl/types.h>

struct row {
    const char *name;
    const char *text;
    int number;
};

static const struct row rows[HFTL_STATUS_COUNT] = {
#define STATUS_ROW(name, err, text) [HFTL_##name] = {#name, text, err},
    HFTL_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

/* A number from another version of the library, or from nowhere, is an error, never success. */
static const struct row unknown = {"UNKNOWN", "unknown status", EIO};

static const struct row *row_of(enum hftl_status status)
{
    return (unsigned)status < HFTL_STATUS_COUNT ? &rows[status] : &unknown;
}

const char *hftl_status_text(enum hftl_status status)
{
    return row_of(status)->text;
}

const char *hftl_status_name(enum hftl_status status)
{
    return row_of(status)->name;
}

int hftl_status_errno(enum hftl_status status)
{
    return row_of(status)->number;
}
