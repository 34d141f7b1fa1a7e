/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tuning.h - how a device is run: victims at once, blocks of each, policy, limits, paused or not.
 *
 * Chosen by the seed of each life, so that a sweep of seeds goes through all of them; half of the
 * lives have the defaults. --tuning fixes it for the process: "default", or any of
 *
 *      victims=N,blocks=N,policy=NAME,percent=N,start=N,paused
 *
 * where `percent` is what users get at every limit, `start` the free bands at which all limits are.
 */
#ifndef HOSTFTL_SIM_TUNING_H
#define HOSTFTL_SIM_TUNING_H

#include <hostftl/hostftl.h>

#define TUNING_WORDS_MAX 96u

struct tuning {
    uint32_t victims, blocks; /* 0: default */
    const char *policy;       /* NULL: default */
    bool limited;             /* `limits` are set; thresholds are cut to the device's bands */
    struct hftl_limits limits;
    bool paused;
};

/* False: makes no sense. */
bool tuning_fix(const char *words);
/* "": by the seed; otherwise " --tuning ...", for a command that replays. */
const char *tuning_option(void);
void tuning_choose(struct tuning *tuning, uint64_t seed);
/* For a device of so many bands. */
void tuning_fit(struct hftl_limits *limits, uint32_t bands, uint32_t reserve);

#endif
