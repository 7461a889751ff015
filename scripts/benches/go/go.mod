// SPDX-License-Identifier: MIT

module weft/bench

go 1.19
