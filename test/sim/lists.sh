#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Random requests and crashes on random drives; all invariants after every step.
exec "$HFTL_BUILD/hostftl-sim" model --budget "${HFTL_SIM_SECONDS:-15}"
