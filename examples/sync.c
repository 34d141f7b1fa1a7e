/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sync.c - one request at a time: writes a greeting durably and reads it back.
 *
 *     cc sync.c $(pkg-config --cflags --libs hostftl) -o sync
 *     hostftl emu create d.img --kind zoned --size 64M && hostftl format d.img && ./sync d.img
 */
#include <hostftl/hostftl.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static char block[HFTL_BLOCK_BYTES];
    struct hftl_open_options options;
    struct hftl_device *device;
    struct hftl_channel *channel = NULL;
    enum hftl_status status;
    char why[256];

    hftl_open_options_init(&options);
    options.flags = HFTL_OPEN_THREAD;
    status = hftl_open(argc > 1 ? argv[1] : "d.img", &options, &device, why, sizeof why);
    if (status != HFTL_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    channel = hftl_channel_open(device, 1);
    snprintf(block, sizeof block, "hello from a drive that only takes sequential writes");
    status = channel ? hftl_write(channel, 7, 1, block, HFTL_FUA) : HFTL_MEMORY;
    memset(block, 0, sizeof block);
    if (status == HFTL_OK)
        status = hftl_read(channel, 7, 1, block);
    printf("%s: %s\n", hftl_status_text(status), block);
    enum hftl_status closed = hftl_close(device); /* its channels go with it */
    return status != HFTL_OK || closed != HFTL_OK;
}
