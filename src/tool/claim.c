/* SPDX-License-Identifier: BSD-3-Clause */
/* claim.c - see claim.h. */
#include "tool/claim.h"

#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tool/tool.h"

/* Where the device is mounted. `place` gets it. */
static bool mounted(dev_t device, char *place, size_t place_bytes)
{
    FILE *table = fopen("/proc/self/mountinfo", "re");
    char line[4096];
    char at[1024];
    bool found = false;
    unsigned major_wanted = major(device);
    unsigned minor_wanted = minor(device);

    while (table != NULL && !found && fgets(line, sizeof line, table) != NULL) {
        unsigned maj, min;

        if (sscanf(line, "%*d %*d %u:%u %*s %1023s", &maj, &min, at) != 3)
            continue;
        found = maj == major_wanted && min == minor_wanted;
    }
    if (table != NULL)
        (void)fclose(table);
    if (found)
        (void)snprintf(place, place_bytes, "%s", at);
    return found;
}

/* A device on top of this one. `name` gets it. */
static bool held(dev_t device, char *name, size_t name_bytes)
{
    char path[64];
    const struct dirent *entry;
    bool found = false;

    (void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/holders", major(device), minor(device));
    DIR *folder = opendir(path);
    while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
        found = entry->d_name[0] != '.';
        if (found)
            (void)snprintf(name, name_bytes, "%s", entry->d_name);
    }
    if (folder != NULL)
        (void)closedir(folder);
    return found;
}

enum hftl_status claim_check_use(const char *path, char *why, size_t why_bytes)
{
    struct stat stat_;
    char name[1024];

    if (stat(path, &stat_) != 0) {
        (void)snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
        return tool_status_of_errno(errno);
    }
    if (S_ISREG(stat_.st_mode))
        return HFTL_OK;
    if (!S_ISBLK(stat_.st_mode)) {
        (void)snprintf(why, why_bytes, "%s: %s", path,
                       S_ISDIR(stat_.st_mode) ? "a folder, not a drive"
                                              : "neither an ordinary file nor a block device");
        return HFTL_UNSUPPORTED;
    }
    if (mounted(stat_.st_rdev, name, sizeof name)) {
        (void)snprintf(why, why_bytes, "%s is mounted at %s", path, name);
        return HFTL_BUSY;
    }
    if (held(stat_.st_rdev, name, sizeof name)) {
        (void)snprintf(why, why_bytes, "%s is in use by the device %s", path, name);
        return HFTL_BUSY;
    }
    int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
    if (fd < 0) {
        (void)snprintf(why, why_bytes, "%s: %s", path,
                       errno == EBUSY ? "in use by another process" : strerror(errno));
        return tool_status_of_errno(errno);
    }
    (void)close(fd);
    return HFTL_OK;
}

/* What was found, in words: "ext4 \"backup\"". */
static void name_signature(blkid_probe probe, char *name, size_t name_bytes)
{
    const char *type = NULL;
    const char *label = NULL;

    (void)blkid_probe_lookup_value(probe, "LABEL", &label, NULL);
    if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) == 0)
        (void)snprintf(name, name_bytes, label == NULL ? "%s" : "%s (\"%s\")", type, label);
    else if (blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL) == 0)
        (void)snprintf(name, name_bytes, "%s partition table", type);
    else
        (void)snprintf(name, name_bytes, "unknown");
}

enum hftl_status claim_check_signature(const char *path, char *why, size_t why_bytes)
{
    enum hftl_status status = HFTL_OK;
    char name[128];
    blkid_probe probe = blkid_new_probe_from_filename(path);

    if (probe == NULL) {
        (void)snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
        return tool_status_of_errno(errno);
    }
    (void)blkid_probe_enable_superblocks(probe, 1);
    (void)blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL);
    (void)blkid_probe_enable_partitions(probe, 1);
    int found = blkid_do_safeprobe(probe);
    if (found == -2) {
        status = HFTL_EXISTS;
        (void)snprintf(why, why_bytes, "%s holds signatures of several file systems", path);
    } else if (found == 0) {
        status = HFTL_EXISTS;
        name_signature(probe, name, sizeof name);
        (void)snprintf(why, why_bytes, "%s holds a signature: %s", path, name);
    }
    blkid_free_probe(probe);
    return status;
}
