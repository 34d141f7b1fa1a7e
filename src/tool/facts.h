/* SPDX-License-Identifier: BSD-3-Clause */
/* facts.h - the facts of a medium and of a device, as rows of a sheet; the same wherever they
 * appear. */
#ifndef HOSTFTL_TOOL_FACTS_H
#define HOSTFTL_TOOL_FACTS_H

#include <hostftl/hostftl.h>

#include "tool/sheet.h"

/* "ocssd", "zoned", "flat": also the words of --kind. */
const char *facts_kind_text(enum hftl_media_kind kind);
const char *facts_state_text(enum hftl_chunk_state state);

/* A section "medium". */
void facts_add_medium(struct sheet *sheet, const struct hftl_media_facts *facts);
/* What is known of a device that was just made, or would be; with its medium. */
void facts_add_new(struct sheet *sheet, const struct hftl_info *info);
/* What the superblock of a device says that is not open; with its medium. */
void facts_add_probed(struct sheet *sheet, const struct hftl_info *info);

#endif
