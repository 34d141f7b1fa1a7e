#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Cuts the power of every story on every drive, as often as fits into 48 seconds.
exec "$HFTL_BUILD/hostftl-sim" --budget "${HFTL_SIM_SECONDS:-48}"
