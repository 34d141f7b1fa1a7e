#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every planted bug is caught by the explorer. Skipped in a build that has none.
exec "$HFTL_BUILD/hostftl-sim" mutants --budget "${HFTL_MUTANT_SECONDS:-60}"
